//! What the store found, in the words of S3: listings, refused conditions, and troubles of the disk.

use std::io;

use http::StatusCode;
use s3s::dto::{
    CommonPrefix, ETag, ETagCondition, ListObjectsV2Input, ListObjectsV2Output, Object,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::folder::ObjectMeta;
use super::listing;

pub(super) fn listed(
    input: ListObjectsV2Input,
    prefix: String,
    page: listing::Page,
    limit: usize,
) -> ListObjectsV2Output {
    let count = page.objects.len() + page.common_prefixes.len();
    let contents = page
        .objects
        .into_iter()
        .map(|(key, meta)| Object {
            key: Some(key),
            size: Some(meta.size.cast_signed()),
            last_modified: Some(meta.modified.into()),
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        })
        .collect();
    let prefixes = page
        .common_prefixes
        .into_iter()
        .map(|p| CommonPrefix { prefix: Some(p) })
        .collect();
    ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(prefix),
        delimiter: input.delimiter,
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        start_after: input.start_after,
        is_truncated: Some(page.next_after.is_some()),
        next_continuation_token: page.next_after,
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        ..Default::default()
    }
}

/// Whether the writer asked to create only; a condition on a certain version cannot hold here.
pub(super) fn condition_is_absent(condition: Option<&ETagCondition>) -> S3Result<bool> {
    match condition {
        None => Ok(false),
        Some(ETagCondition::Any) => Ok(true),
        Some(ETagCondition::ETag(_)) => Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "the only condition for writing is If-None-Match: *",
        )),
    }
}

pub(super) fn check_conditions(
    meta: &ObjectMeta,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let matches = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == meta.etag,
    };
    if if_match.is_some_and(|condition| !matches(condition)) {
        return Err(S3Error::new(S3ErrorCode::PreconditionFailed));
    }
    if if_none_match.is_some_and(matches) {
        return Err(S3Error::new(S3ErrorCode::NotModified));
    }
    Ok(())
}

/// An object is never replaced. A writer that asked to create only learns that its condition
/// failed; one that asked to replace learns that it may not.
pub(super) fn already_exists(only_if_absent: bool) -> S3Error {
    if only_if_absent {
        S3Error::with_message(
            S3ErrorCode::PreconditionFailed,
            "an object of this name exists",
        )
    } else {
        S3Error::with_message(
            S3ErrorCode::AccessDenied,
            "an object of this name exists, and objects are never replaced",
        )
    }
}

/// What the disk refused, in the words of S3. The details are logged here, once: a client has no
/// business with the server's paths.
pub(super) fn disk(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::NotFound => S3Error::new(S3ErrorCode::NoSuchKey),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "an object cannot be the folder of another one",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            tracing::error!(error = %error, "the embedded store's disk is full");
            with_status(
                StatusCode::INSUFFICIENT_STORAGE,
                "InsufficientStorage",
                "the server's disk is full",
            )
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            tracing::error!(error = %error, "the embedded store's folder cannot be written");
            with_status(
                StatusCode::FORBIDDEN,
                "ReadOnlyAccess",
                "the server's storage folder is read-only",
            )
        }
        _ => {
            tracing::error!(error = %error, "the embedded store's disk failed");
            S3Error::with_message(
                S3ErrorCode::InternalError,
                "the server's disk failed; its log says how",
            )
        }
    }
}

fn with_status(status: StatusCode, code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_to_be_full_and_a_read_only_one_read_only() {
        let full = disk(io::Error::from_raw_os_error(28));
        assert_eq!(full.status_code(), Some(StatusCode::INSUFFICIENT_STORAGE));
        assert_eq!(full.code().as_str(), "InsufficientStorage");
        let read_only = disk(io::Error::from_raw_os_error(30));
        assert_eq!(read_only.code().as_str(), "ReadOnlyAccess");
        assert!(read_only.message().unwrap().contains("read-only"));
        assert_eq!(
            *disk(io::ErrorKind::NotFound.into()).code(),
            S3ErrorCode::NoSuchKey
        );
        assert_eq!(
            *disk(io::Error::from_raw_os_error(5)).code(),
            S3ErrorCode::InternalError
        );
    }
}
