//! The operations of S3 that are served, each a few lines over [`folder`](super::folder),
//! [`listing`](super::listing) and [`upload`](super::upload).
//!
//! Whoever comes here has passed the gate: the signature is right and bucket and key lie in the
//! credential's scope. Only the prefix of a listing is left to check.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::Engine;
use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
    GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::DataPlaneMetrics;
use super::answer::{already_exists, check_conditions, condition_is_absent, disk, listed};
use super::folder::{self, Created};
use super::key::{Bucket, Key};
use super::limits::{BODY_SILENCE, IO_BUFFER_BYTES, MAX_KEYS_PER_PAGE, MAX_OBJECT_BYTES};
use super::listing::{self, Query};
use super::scope::Scope;
use super::upload::{Completed, Upload, UploadError};

/// The S3 operations over the folder of all embedded accounts.
pub(super) struct Objects {
    blobs: Arc<Path>,
    metrics: DataPlaneMetrics,
}

/// The content of a request, written to a staging file and synchronised.
struct Received {
    staged: PathBuf,
    size: u64,
    /// As far as it was asked for.
    sha256: Option<digest::Digest>,
}

impl Received {
    fn digest(&self) -> &[u8] {
        self.sha256.as_ref().map_or(&[], AsRef::as_ref)
    }

    fn hex(&self) -> String {
        self.digest()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl Objects {
    pub(super) fn new(blobs: Arc<Path>, metrics: DataPlaneMetrics) -> Self {
        Self { blobs, metrics }
    }

    fn place(&self, bucket: &str, key: &str) -> S3Result<(Bucket, PathBuf, Key)> {
        let refused = |e: super::key::InvalidName| {
            S3Error::with_message(S3ErrorCode::InvalidArgument, e.to_string())
        };
        let bucket = Bucket::parse(bucket).map_err(refused)?;
        let container = bucket.folder(&self.blobs);
        Ok((bucket, container, Key::parse(key).map_err(refused)?))
    }

    /// Writes a body to a staging file, hashing it when `hashed` or when the sender announced a digest:
    /// what only creates needs none, and its content was checked by the signature or by TLS. Whatever goes wrong, the file does not stay, not even when the
    /// client hangs up and this is dropped in the middle.
    async fn receive(
        &self,
        body: Option<StreamingBlob>,
        announced_sha256: Option<&str>,
        hashed: bool,
    ) -> S3Result<Received> {
        let hashed = hashed || announced_sha256.is_some();
        let (file, staged) = self.blocking(folder::stage).await?;
        let unfinished = folder::Unfinished::new(staged.clone());
        let received = self.write_body(body, file, staged, hashed).await?;
        let digest = base64::engine::general_purpose::STANDARD.encode(received.digest());
        if announced_sha256.is_some_and(|announced| announced != digest) {
            return Err(S3Error::with_message(
                S3ErrorCode::BadDigest,
                "the content does not have the announced SHA-256",
            ));
        }
        unfinished.keep();
        Ok(received)
    }

    async fn write_body(
        &self,
        body: Option<StreamingBlob>,
        file: File,
        staged: PathBuf,
        hashed: bool,
    ) -> S3Result<Received> {
        let mut file =
            tokio::io::BufWriter::with_capacity(IO_BUFFER_BYTES, tokio::fs::File::from_std(file));
        let mut context = hashed.then(|| digest::Context::new(&digest::SHA256));
        let mut size = 0_u64;
        if let Some(mut body) = body {
            while let Some(chunk) = next_chunk(&mut body, BODY_SILENCE).await? {
                size += chunk.len() as u64;
                if size > MAX_OBJECT_BYTES {
                    return Err(S3Error::new(S3ErrorCode::EntityTooLarge));
                }
                if let Some(context) = &mut context {
                    context.update(&chunk);
                }
                file.write_all(&chunk).await.map_err(disk)?;
            }
        }
        file.flush().await.map_err(disk)?;
        file.into_inner().sync_all().await.map_err(disk)?;
        self.metrics.received_bytes.inc_by(size);
        Ok(Received {
            staged,
            size,
            sha256: context.map(digest::Context::finish),
        })
    }

    /// Runs `work` on the folder of all accounts where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> S3Result<T> {
        self.blocking_upload(move |blobs| Ok(work(blobs)?)).await
    }

    async fn blocking_upload<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, UploadError> + Send + 'static,
    ) -> S3Result<T> {
        let blobs = Arc::clone(&self.blobs);
        match tokio::task::spawn_blocking(move || work(&blobs)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(UploadError::Io(e))) => Err(disk(e)),
            Ok(Err(e @ UploadError::NoSuchUpload)) => Err(S3Error::with_message(
                S3ErrorCode::NoSuchUpload,
                e.to_string(),
            )),
            Ok(Err(e @ UploadError::InvalidPart(_))) => Err(S3Error::with_message(
                S3ErrorCode::InvalidPart,
                e.to_string(),
            )),
            Err(e) => Err(S3Error::with_source(
                S3ErrorCode::InternalError,
                Box::new(e),
            )),
        }
    }
}

#[async_trait]
impl S3 for Objects {
    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let (_, container, key) = self.place(&input.bucket, &input.key)?;
        if !self
            .blocking({
                let container = container.clone();
                move |_| Ok(container.is_dir())
            })
            .await?
        {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
        }
        let only_if_absent = condition_is_absent(input.if_none_match.as_ref())?;
        if only_if_absent && exists(&container, &key).await? {
            return Err(already_exists(true));
        }
        let received = self
            .receive(
                input.body,
                input.checksum_sha256.as_deref(),
                !only_if_absent,
            )
            .await?;
        let created = self
            .blocking(move |_| {
                let created = folder::publish(&received.staged, &container, &key)?;
                let same = match &created {
                    Created::Existed(_) if !only_if_absent => {
                        folder::has_content(&container, &key, received.digest(), received.size)?
                    }
                    _ => false,
                };
                Ok((created, same))
            })
            .await?;
        match created {
            // A client that lost the first answer sends the same content again: it is stored.
            (Created::New(meta), _) | (Created::Existed(meta), true) => {
                let output = PutObjectOutput {
                    e_tag: Some(ETag::Strong(meta.etag)),
                    ..Default::default()
                };
                Ok(S3Response::new(output))
            }
            (Created::Existed(_), false) => Err(already_exists(only_if_absent)),
        }
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let (_, container, key) = self.place(&input.bucket, &input.key)?;
        let (file, meta) = self
            .blocking(move |_| folder::open(&container, &key))
            .await?;
        check_conditions(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let range = match input.range {
            Some(range) => range
                .check(meta.size)
                .map_err(|_| S3Error::new(S3ErrorCode::InvalidRange))?,
            None => 0..meta.size,
        };
        let length = range.end - range.start;
        let mut file = tokio::fs::File::from_std(file);
        file.seek(io::SeekFrom::Start(range.start))
            .await
            .map_err(disk)?;
        let sent = self.metrics.sent_bytes.clone();
        let body =
            ReaderStream::with_capacity(file.take(length), IO_BUFFER_BYTES).inspect(move |chunk| {
                if let Ok(chunk) = chunk {
                    sent.inc_by(chunk.len() as u64);
                }
            });
        let content_range = input.range.map(|_| {
            format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                meta.size
            )
        });
        let mut response = S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(StreamingBlob::wrap(body)),
            content_length: Some(length.cast_signed()),
            content_range,
            e_tag: Some(ETag::Strong(meta.etag)),
            last_modified: Some(meta.modified.into()),
            ..Default::default()
        });
        response.status = input.range.map(|_| StatusCode::PARTIAL_CONTENT);
        Ok(response)
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let (_, container, key) = self.place(&input.bucket, &input.key)?;
        let meta = self
            .blocking(move |_| folder::head(&container, &key))
            .await?;
        check_conditions(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(meta.size.cast_signed()),
            e_tag: Some(ETag::Strong(meta.etag)),
            last_modified: Some(meta.modified.into()),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let prefix = req.input.prefix.clone().unwrap_or_default();
        let scope = req
            .extensions
            .get::<Scope>()
            .ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
        let is_inside = prefix
            .strip_prefix(scope.prefix.as_str())
            .is_some_and(|rest| rest.starts_with('/'));
        if !is_inside {
            return Err(S3Error::with_message(
                S3ErrorCode::AccessDenied,
                "this credential lists only below its own prefix",
            ));
        }
        let input = req.input;
        let by_folder = match input.delimiter.as_deref() {
            None | Some("") => false,
            Some("/") => true,
            Some(_) => {
                return Err(S3Error::with_message(
                    S3ErrorCode::InvalidArgument,
                    "the only delimiter is the slash",
                ));
            }
        };
        let limit = usize::try_from(input.max_keys.unwrap_or(i32::MAX))
            .unwrap_or(0)
            .clamp(1, MAX_KEYS_PER_PAGE);
        let after = input
            .continuation_token
            .clone()
            .or_else(|| input.start_after.clone())
            .unwrap_or_default();
        let container = Bucket::parse(&input.bucket)
            .map_err(|e| S3Error::with_message(S3ErrorCode::InvalidBucketName, e.to_string()))?
            .folder(&self.blobs);
        let listed_prefix = prefix.clone();
        let page = self
            .blocking(move |_| {
                listing::list(
                    &container,
                    Query {
                        prefix: &listed_prefix,
                        after: &after,
                        by_folder,
                        limit,
                    },
                )
            })
            .await?;
        Ok(S3Response::new(listed(input, prefix, page, limit)))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (bucket, container, key) = self.place(&req.input.bucket, &req.input.key)?;
        if exists(&container, &key).await? {
            return Err(already_exists(false));
        }
        let id = self
            .blocking_upload(move |blobs| Upload::begin(blobs, &bucket, &key))
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(req.input.bucket),
            key: Some(req.input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let (bucket, _, key) = self.place(&input.bucket, &input.key)?;
        let received = self
            .receive(input.body, input.checksum_sha256.as_deref(), true)
            .await?;
        let etag = self
            .blocking_upload(move |blobs| {
                let put = Upload::find(blobs, &input.upload_id, &bucket, &key).and_then(|upload| {
                    upload.put_part(input.part_number, &received.staged, &received.hex())
                });
                if put.is_err() {
                    let _gone_or_found_at_the_next_start = std::fs::remove_file(&received.staged);
                }
                put
            })
            .await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let (bucket, container, key) = self.place(&input.bucket, &input.key)?;
        let only_if_absent = condition_is_absent(input.if_none_match.as_ref())?;
        let mut parts = Vec::new();
        for part in input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
        {
            let number = part
                .part_number
                .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?;
            let etag = part
                .e_tag
                .and_then(ETag::into_strong)
                .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?;
            parts.push((number, etag));
        }
        let upload_id = input.upload_id;
        let completed = self
            .blocking_upload(move |blobs| {
                Upload::find(blobs, &upload_id, &bucket, &key)?
                    .complete(blobs, &container, &key, &parts)
            })
            .await?;
        match completed {
            Completed::New(meta) => Ok(S3Response::new(CompleteMultipartUploadOutput {
                bucket: Some(input.bucket),
                key: Some(input.key),
                e_tag: Some(ETag::Strong(meta.etag)),
                ..Default::default()
            })),
            Completed::Existed => Err(already_exists(only_if_absent)),
        }
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let (bucket, _, key) = self.place(&req.input.bucket, &req.input.key)?;
        let id = req.input.upload_id;
        self.blocking_upload(move |blobs| Upload::find(blobs, &id, &bucket, &key)?.abort())
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// The next piece of a body, from a sender that is still there.
async fn next_chunk(body: &mut StreamingBlob, patience: Duration) -> S3Result<Option<Bytes>> {
    match tokio::time::timeout(patience, body.next()).await {
        Ok(chunk) => chunk.transpose().map_err(|e| {
            S3Error::with_message(
                S3ErrorCode::IncompleteBody,
                format!("the body ended too early: {e}"),
            )
        }),
        Err(_) => Err(S3Error::with_message(
            S3ErrorCode::RequestTimeout,
            "the sender fell silent in the middle of the body",
        )),
    }
}

async fn exists(container: &Path, key: &Key) -> S3Result<bool> {
    match tokio::fs::symlink_metadata(key.file(container)).await {
        Ok(_) => Ok(true),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(disk(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_that_falls_silent_is_not_waited_for() {
        let silent = futures::stream::pending::<io::Result<Bytes>>();
        let mut body = StreamingBlob::wrap(silent);
        let refused = next_chunk(&mut body, Duration::ZERO).await.unwrap_err();
        assert_eq!(*refused.code(), S3ErrorCode::RequestTimeout);
    }
}
