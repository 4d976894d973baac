//! A hundred thousand objects are written with their report, written again with 1 % changed, and
//! read, in a process of less than 40 MiB: a third of what an extension has for everything. The
//! increment costs less than 2 % of what the full point does, all objects of the store counted. A
//! process of its own, because the peak of a process is measured.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use strongroom_repository::{Entropy, Repository, RepositoryKey, Result, Sealed, WriterOptions};
use uuid::Uuid;

const OBJECTS: u64 = 100_000;

struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(1);
        Ok(())
    }
}

/// An object of about 2 KiB, about a third of it random.
fn body(number: u64, generation: u64) -> Bytes {
    let mut body = vec![b' '; 1984 + (number * 37 % 128) as usize];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(&generation.to_be_bytes());
    hasher.finalize_xof().fill(&mut body[..700]);
    body.into()
}

/// Peak of resident memory in MiB (`VmHWM` of /proc/self/status, in kB).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

/// Bytes of all files below a folder.
fn stored(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let (entry, meta) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        sum += if meta.is_dir() {
            stored(&entry)?
        } else {
            meta.len()
        };
    }
    Ok(sum)
}

async fn write(repository: &Repository, point: u128, parent: Option<u128>) -> Result<Sealed> {
    let options = WriterOptions {
        parent: parent.map(Uuid::from_u128),
        attempt: 1,
    };
    let mut writer = repository.begin(Uuid::from_u128(point), options).await?;
    writer
        .start_run("configmaps.", serde_json::json!({}))
        .await?;
    let mut report = repository.report_writer(Uuid::from_u128(point), 1);
    for number in 0..OBJECTS {
        let generation = if number % 100 == 0 { point as u64 } else { 0 };
        let name = format!("ns-{:02}/item-{number:06}", number / 5000);
        let meta = format!("{{\"resourceVersion\":\"{generation}\"}}");
        let body = body(number, generation);
        let line = serde_json::json!({
            "object": {
                "group": "", "version": "v1", "kind": "ConfigMap",
                "namespace": format!("ns-{:02}", number / 5000), "name": format!("item-{number:06}"),
            },
            "outcome": "BackedUp", "reason": "it is in a chosen namespace",
            "bytes": body.len(), "millis": 0,
        });
        writer.put(name, meta, body).await?;
        report.append_value(&line).await?;
    }
    writer.finish_run().await?;
    report.finish().await?;
    writer
        .seal(serde_json::json!({}), jiff::Timestamp::UNIX_EPOCH)
        .await
}

#[tokio::test]
async fn a_hundred_thousand_objects_fit_in_40_mib_and_one_changed_percent_costs_less_than_two() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let key = RepositoryKey::new([3; 32]);
    let repository = Repository::open_or_create(store, Path::from("one"), &key, &Fixed)
        .await
        .unwrap();
    write(&repository, 1, None).await.unwrap();
    let full = stored(folder.path()).unwrap();
    let increment = write(&repository, 2, Some(1)).await.unwrap().stats;
    let added = stored(folder.path()).unwrap() - full;
    assert_eq!(increment.unchanged, OBJECTS - OBJECTS / 100);
    assert!(
        added * 100 <= full * 2,
        "the increment costs {added} bytes, the full point {full}: {increment:?}"
    );

    let point = repository.point(Uuid::from_u128(2)).await.unwrap();
    let mut entries = point.entries("configmaps.");
    let mut count = 0;
    while let Some(entry) = entries.try_next().await.unwrap() {
        assert_eq!(point.read(&entry).await.unwrap().len() as u64, entry.size);
        count += 1;
    }
    assert_eq!(count, OBJECTS);
    assert!(
        repository
            .verify(Uuid::from_u128(2))
            .await
            .unwrap()
            .is_whole()
    );
    if let Some(peak) = peak() {
        assert!(peak <= 40, "the process took {peak} MiB at its peak");
    }
    println!(
        "full {full} bytes, increment {added} bytes, peak {:?} MiB",
        peak()
    );
}
