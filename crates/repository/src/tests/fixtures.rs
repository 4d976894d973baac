//! Builders: a repository on a store, points from plain lists, everything read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use uuid::Uuid;

use crate::write::Sizes;
use crate::{Entropy, PointWriter, Repository, RepositoryKey, Result, Sealed, WriterOptions};

/// group → name → (meta, body).
pub(crate) type Content = BTreeMap<String, BTreeMap<String, (Vec<u8>, Vec<u8>)>>;

/// Entropy that repeats from run to run.
pub(crate) struct Fixed(pub(crate) u8);

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(self.0);
        Ok(())
    }
}

pub(crate) fn key() -> RepositoryKey {
    RepositoryKey::new([7; 32])
}

pub(crate) fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

pub(crate) fn prefix() -> Path {
    Path::from("instances/one")
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) async fn open(store: &Arc<dyn ObjectStore>) -> Result<Repository> {
    open_seeded(store, 1).await
}

pub(crate) async fn open_seeded(store: &Arc<dyn ObjectStore>, seed: u8) -> Result<Repository> {
    Repository::open_or_create(Arc::clone(store), prefix(), &key(), &Fixed(seed)).await
}

/// Bytes that look random and do not compress.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Two kinds with some objects.
pub(crate) fn small() -> Content {
    let mut content = Content::new();
    for (group, count) in [
        ("configmaps.", 40),
        ("secrets.", 7),
        ("widgets.example.com", 1),
    ] {
        let run = content.entry(group.into()).or_default();
        for number in 0..count {
            let body = format!("{{\"kind\":\"{group}\",\"number\":{number}}}").into_bytes();
            run.insert(
                format!("shop/item-{number:04}"),
                (format!("{number}").into(), body),
            );
        }
    }
    content.insert("empty.".into(), BTreeMap::new());
    content
}

/// Writes all entries, without sealing.
pub(crate) async fn fill(writer: &mut PointWriter, content: &Content) -> Result<()> {
    for (group, entries) in content {
        writer
            .start_run(group, serde_json::json!({ "plural": group }))
            .await?;
        for (name, (meta, body)) in entries {
            writer
                .put(name, meta.clone(), Bytes::from(body.clone()))
                .await?;
        }
        writer.finish_run().await?;
    }
    Ok(())
}

pub(crate) async fn write(
    repository: &Repository,
    point: Uuid,
    parent: Option<Uuid>,
    attempt: u32,
    content: &Content,
) -> Result<Sealed> {
    let mut writer = repository
        .begin(point, WriterOptions { parent, attempt })
        .await?;
    fill(&mut writer, content).await?;
    writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await
}

pub(crate) fn header() -> serde_json::Value {
    serde_json::json!({ "cut": "cut at 1" })
}

/// Reads a point wholly.
pub(crate) async fn read(repository: &Repository, point: Uuid) -> Result<Content> {
    let point = repository.point(point).await?;
    let mut content = Content::new();
    for run in point.runs() {
        let mut entries = point.entries(&run.group);
        let to = content.entry(run.group.clone()).or_default();
        while let Some(entry) = entries.try_next().await? {
            let body = point.read(&entry).await?.to_vec();
            to.insert(entry.name, (entry.meta.to_vec(), body));
        }
    }
    Ok(content)
}

/// Frames, leaves and packs so small that few entries fill many.
pub(crate) const TINY: Sizes = Sizes {
    frame: 400,
    leaf: 300,
    pack: 2000,
};

/// Like [`write`], in tiny pieces.
pub(crate) async fn write_tiny(
    repository: &Repository,
    point: Uuid,
    parent: Option<Uuid>,
    attempt: u32,
    content: &Content,
) -> Result<Sealed> {
    let mut writer = begin_tiny(repository, point, parent, attempt).await?;
    fill(&mut writer, content).await?;
    writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await
}

/// A writer in tiny pieces.
pub(crate) async fn begin_tiny(
    repository: &Repository,
    point: Uuid,
    parent: Option<Uuid>,
    attempt: u32,
) -> Result<PointWriter> {
    let options = WriterOptions { parent, attempt };
    PointWriter::begin(Arc::clone(&repository.objects), point, options, TINY).await
}

/// Some kinds with bodies that do not compress, `count` objects each.
pub(crate) fn noisy(count: u64) -> Content {
    let mut content = Content::new();
    for (kind, group) in ["configmaps.", "deployments.apps", "secrets."]
        .into_iter()
        .enumerate()
    {
        let run = content.entry(group.into()).or_default();
        for number in 0..count {
            let body = noise(
                number + 1000 * kind as u64,
                80 + (number as usize * 37) % 300,
            );
            run.insert(format!("shop/item-{number:04}"), (vec![number as u8], body));
        }
    }
    content
}
