//! The repository's objects in the store: paths, bounded retries, sizes checked before bytes are
//! read, and sealed documents (every object that is not a pack).
//!
//! Each object opens with an eight-byte preamble: `strong`, its role, its format version.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::compression::{self, CATALOGUE_LEVEL, Encoder, Payload};
use crate::crypto::{Keys, Kind, ObjectKey, Role, SEAL_OVERHEAD};
use crate::entropy::RandomStream;
use crate::error::{Error, Result};
use crate::limits::{STORE_BACKOFF, STORE_TRIES};
use crate::store::classify;

/// Version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u8 = 1;

/// Length of the preamble of every object.
pub(crate) const PREAMBLE: usize = 8;

pub(crate) fn preamble(role: Role) -> [u8; PREAMBLE] {
    let [a, b, c, d, e, f] = *b"strong";
    [a, b, c, d, e, f, role as u8, FORMAT_VERSION]
}

/// Checks the preamble of an object and returns what follows it.
pub(crate) fn after_preamble<'a>(role: Role, path: &str, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let (head, rest) = bytes
        .split_first_chunk::<PREAMBLE>()
        .ok_or_else(|| Error::corrupt(path, "it is shorter than a preamble"))?;
    let expected = preamble(role);
    let (found, version) = (head.get(..PREAMBLE - 1), head[PREAMBLE - 1]);
    if found != expected.get(..PREAMBLE - 1) {
        return Err(Error::corrupt(
            path,
            "its preamble is not that of such an object",
        ));
    }
    match version {
        FORMAT_VERSION => Ok(rest),
        0 => Err(Error::corrupt(path, "its preamble has no version")),
        found => Err(Error::UnsupportedVersion {
            what: path.into(),
            found,
            supported: FORMAT_VERSION,
        }),
    }
}

/// The store, the prefix and the keys of one repository.
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    pub(crate) keys: Keys,
    pub(crate) random: RandomStream,
}

/// An object found by listing: its path below the prefix, its size, and the store's time of writing
/// in milliseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) written_ms: i64,
}

impl Objects {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        keys: Keys,
        random: RandomStream,
    ) -> Self {
        Self {
            store,
            prefix,
            keys,
            random,
        }
    }

    fn location(&self, path: &str) -> Path {
        path.split('/')
            .fold(self.prefix.clone(), |at, part| at.join(part))
    }

    fn found(&self, meta: &ObjectMeta) -> Option<Found> {
        let parts: Vec<_> = meta.location.prefix_match(&self.prefix)?.collect();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        Some(Found {
            path: parts.join("/"),
            size: meta.size,
            written_ms: meta.last_modified.timestamp_millis(),
        })
    }

    /// Creates an object. `Ok(false)` when other bytes stand there already. A lost reply is no
    /// failure: what stands there is compared with what was sent.
    pub(crate) async fn create(&self, path: &str, parts: Vec<Bytes>) -> Result<bool> {
        let location = self.location(path);
        let doing = || format!("writing {path}");
        let mut attempt = 0;
        loop {
            attempt += 1;
            let payload = PutPayload::from_iter(parts.iter().cloned());
            let error = match self
                .store
                .put_opts(&location, payload, PutMode::Create.into())
                .await
            {
                Ok(_) => return Ok(true),
                Err(object_store::Error::AlreadyExists { source, path: at }) => {
                    match self.stands_there(path, &parts).await {
                        Ok(same) => return Ok(same),
                        // The store reported a conflict with a write that then did not happen.
                        Err(e) if e.is_not_found() => Error::Unreachable {
                            doing: doing(),
                            source: object_store::Error::AlreadyExists { source, path: at },
                        },
                        Err(e) => return Err(e),
                    }
                }
                Err(error) => classify(error, doing, path),
            };
            pause_or_fail(error, attempt).await?;
        }
    }

    /// Compares size, beginning and end: the first section starts with a random nonce, so equal
    /// ends mean that it is our own write. Damage in between is found by every reader.
    async fn stands_there(&self, path: &str, parts: &[Bytes]) -> Result<bool> {
        const COMPARED: usize = 256;
        let size: usize = parts.iter().map(Bytes::len).sum();
        let found = self.head(path).await?;
        if found.size != size as u64 {
            return Ok(false);
        }
        let head: Vec<u8> = parts.iter().flatten().take(COMPARED).copied().collect();
        let mut tail: Vec<u8> = parts
            .iter()
            .rev()
            .flat_map(|part| part.iter().rev())
            .take(COMPARED)
            .copied()
            .collect();
        tail.reverse();
        let start = self.read_range(path, 0, head.len() as u64).await?;
        let end = self
            .read_range(path, (size - tail.len()) as u64, tail.len() as u64)
            .await?;
        Ok(start == head && end == tail)
    }

    /// Size and time of an object.
    pub(crate) async fn head(&self, path: &str) -> Result<Found> {
        let location = self.location(path);
        let meta = retried(
            path,
            || format!("looking at {path}"),
            || self.store.head(&location),
        )
        .await?;
        Ok(Found {
            path: path.into(),
            size: meta.size,
            written_ms: meta.last_modified.timestamp_millis(),
        })
    }

    /// Exactly `length` bytes from `offset`; fewer are damage.
    pub(crate) async fn read_range(&self, path: &str, offset: u64, length: u64) -> Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let location = self.location(path);
        let range = GetRange::Bounded(offset..offset.saturating_add(length));
        let doing = || format!("reading {path}");
        let read = retried(path, doing, || async {
            let options = GetOptions {
                range: Some(range.clone()),
                ..GetOptions::default()
            };
            let reply = self.store.get_opts(&location, options).await?;
            // The store may offer another range, or the whole object: never more is read.
            let offered = reply.range.clone();
            collect_capped(reply.into_stream(), length)
                .await
                .map(|bytes| (offered, bytes))
        })
        .await;
        match read {
            Ok((offered, bytes)) if offered.start == offset && bytes.len() as u64 == length => {
                Ok(bytes)
            }
            Ok(_) => Err(Error::corrupt(
                path,
                "it is shorter than what refers to it says",
            )),
            // Stores answer a range beyond the end in their own ways (416, or a generic error):
            // tell a cut object from an unreachable store by its size.
            Err(error) if !error.is_not_found() => match self.head(path).await {
                Ok(found) if found.size < offset.saturating_add(length) => Err(Error::corrupt(
                    path,
                    "it is shorter than what refers to it says",
                )),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// A whole object of at most `limit` bytes.
    pub(crate) async fn read_whole(&self, path: &str, limit: u64) -> Result<Bytes> {
        let location = self.location(path);
        let too_large = || Error::TooLarge {
            what: path.into(),
            size: limit + 1,
            limit,
        };
        let bytes = retried(
            path,
            || format!("reading {path}"),
            || async {
                let reply = self
                    .store
                    .get_opts(&location, GetOptions::default())
                    .await?;
                if reply.meta.size > limit {
                    return Ok(None);
                }
                collect_capped(reply.into_stream(), limit + 1)
                    .await
                    .map(Some)
            },
        )
        .await?
        .ok_or_else(too_large)?;
        if bytes.len() as u64 > limit {
            Err(too_large())
        } else {
            Ok(bytes)
        }
    }

    /// Removes an object; that it is gone already is as good.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        let location = self.location(path);
        match retried(
            path,
            || format!("removing {path}"),
            || self.store.delete(&location),
        )
        .await
        {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Gathers something from every object below `folder`, in whatever order the store lists them.
    /// Starts anew when a listing breaks off.
    pub(crate) async fn gather<T: Default>(
        &self,
        folder: &str,
        each: impl Fn(&mut T, Found),
    ) -> Result<T> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.gather_once(folder, &each).await {
                Err(error) => pause_or_fail(error, attempt).await?,
                done => return done,
            }
        }
    }

    async fn gather_once<T: Default>(
        &self,
        folder: &str,
        each: impl Fn(&mut T, Found),
    ) -> Result<T> {
        let location = self.location(folder);
        let mut gathered = T::default();
        let mut list = self.store.list(Some(&location));
        while let Some(meta) = list.next().await {
            match meta {
                Ok(meta) => {
                    if let Some(found) = self.found(&meta) {
                        each(&mut gathered, found);
                    }
                }
                Err(error) => {
                    return match classify(error, || format!("listing {folder}"), folder) {
                        error if error.is_not_found() => Ok(T::default()),
                        error => Err(error),
                    };
                }
            }
        }
        Ok(gathered)
    }

    /// All objects below `folder`, sorted by path. For folders whose size is bounded by something
    /// other than the number of entries.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Found>> {
        let mut all: Vec<Found> = self
            .gather(folder, |all: &mut Vec<_>, found| all.push(found))
            .await?;
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    /// The bytes of a sealed document: an object with one section.
    pub(crate) fn seal_document(&self, role: Role, path: &str, plaintext: &[u8]) -> Result<Bytes> {
        let mut encoder = Encoder::new()?;
        let payload = encoder.pack(plaintext, CATALOGUE_LEVEL)?;
        self.seal_payload(role, path, &payload)
    }

    /// [`Objects::seal_document`] of what is packed already.
    pub(crate) fn seal_payload(
        &self,
        role: Role,
        path: &str,
        payload: &Payload<'_>,
    ) -> Result<Bytes> {
        let key = self.keys.object_key(role, path)?;
        let mut bytes = BytesMut::with_capacity(PREAMBLE + SEAL_OVERHEAD + payload.len());
        bytes.extend_from_slice(&preamble(role));
        key.seal_onto(&mut bytes, Kind::Document, payload, &self.random)?;
        Ok(bytes.freeze())
    }

    /// Reads and opens a sealed document of at most `limit` bytes of plaintext.
    pub(crate) async fn read_document(
        &self,
        role: Role,
        path: &str,
        limit: usize,
    ) -> Result<Vec<u8>> {
        let bytes = self
            .read_whole(path, (limit + PREAMBLE + SEAL_OVERHEAD + 64) as u64)
            .await?;
        let sealed = after_preamble(role, path, &bytes)?;
        let key = self.keys.object_key(role, path)?;
        open_section(&key, Kind::Document, PREAMBLE as u64, sealed, limit)
            .map_err(|why| Error::corrupt(path, why))
    }
}

/// Authenticates a section, then unpacks it. The error says what is wrong.
pub(crate) fn open_section(
    key: &ObjectKey,
    kind: Kind,
    offset: u64,
    sealed: &[u8],
    limit: usize,
) -> Result<Vec<u8>, &'static str> {
    let payload = key
        .open(kind, offset, sealed)
        .ok_or("it is not authentic")?;
    compression::unpack(&payload, limit)
}

/// A value as JSON. Serialising our own types does not fail.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Internal {
        doing: "writing JSON",
        why: e.to_string(),
    })
}

/// Parses authenticated JSON.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::corrupt(what, format!("it does not parse: {e}")))
}

async fn collect_capped(
    mut stream: futures::stream::BoxStream<'static, object_store::Result<Bytes>>,
    cap: u64,
) -> object_store::Result<Bytes> {
    let mut all: Vec<Bytes> = Vec::new();
    let mut size = 0;
    while let Some(bytes) = stream.try_next().await? {
        let rest = usize::try_from(cap - size).unwrap_or(usize::MAX);
        let bytes = if bytes.len() > rest {
            bytes.slice(..rest)
        } else {
            bytes
        };
        size += bytes.len() as u64;
        all.push(bytes);
        if size == cap {
            break;
        }
    }
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        _ => Ok(all.concat().into()),
    }
}

/// Calls the store until it answers, at most [`STORE_TRIES`] times.
async fn retried<T, F: Future<Output = object_store::Result<T>>>(
    path: &str,
    doing: impl Fn() -> String,
    call: impl Fn() -> F,
) -> Result<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) => pause_or_fail(classify(error, &doing, path), attempt).await?,
        }
    }
}

/// Tests let thousands of calls fail and do not wait.
const BACKOFF: Duration = if cfg!(test) {
    Duration::ZERO
} else {
    STORE_BACKOFF
};

/// Waits before the next try if there is one to make, else gives the error back.
async fn pause_or_fail(error: Error, attempt: u32) -> Result<()> {
    if !error.is_transient() || attempt >= STORE_TRIES {
        return Err(error);
    }
    tracing::debug!(error = %error, attempt, "store call failed, trying again");
    tokio::time::sleep(BACKOFF * 2_u32.saturating_pow(attempt - 1)).await;
    Ok(())
}
