//! A hundred thousand objects are written, written again with 1 % changed, and read in a process
//! of less than 128 MiB. A process of its own, because the peak of a process is measured.

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

/// An object of 2 KiB, about a third of it random.
fn body(number: u64, generation: u64) -> Bytes {
    let mut body = vec![b' '; 2048];
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

async fn write(repository: &Repository, point: u128, parent: Option<u128>) -> Result<Sealed> {
    let options = WriterOptions {
        parent: parent.map(Uuid::from_u128),
        attempt: 1,
    };
    let mut writer = repository.begin(Uuid::from_u128(point), options).await?;
    writer
        .start_run("configmaps.", serde_json::json!({}))
        .await?;
    for number in 0..OBJECTS {
        let generation = if number % 100 == 0 { point as u64 } else { 0 };
        let name = format!("ns-{:02}/item-{number:06}", number / 5000);
        let meta = format!("{{\"resourceVersion\":\"{generation}\"}}");
        writer.put(name, meta, body(number, generation)).await?;
    }
    writer.finish_run().await?;
    writer
        .seal(serde_json::json!({}), jiff::Timestamp::UNIX_EPOCH)
        .await
}

#[tokio::test]
async fn a_hundred_thousand_objects_fit_in_128_mib_and_one_changed_percent_costs_two() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let key = RepositoryKey::new([3; 32]);
    let repository = Repository::open_or_create(store, Path::from("one"), &key, &Fixed)
        .await
        .unwrap();
    let full = write(&repository, 1, None).await.unwrap().stats;
    let increment = write(&repository, 2, Some(1)).await.unwrap().stats;
    assert_eq!(increment.unchanged, OBJECTS - OBJECTS / 100);
    let share = increment.new_bytes as f64 / full.new_bytes as f64;
    assert!(
        share <= 0.02,
        "the increment costs {share} of the full point: {increment:?} {full:?}"
    );

    let point = repository.point(Uuid::from_u128(2)).await.unwrap();
    let mut entries = point.entries("configmaps.");
    let mut count = 0;
    while let Some(entry) = entries.try_next().await.unwrap() {
        assert_eq!(point.read(&entry).await.unwrap().len(), 2048);
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
        assert!(peak <= 128, "the process took {peak} MiB at its peak");
    }
    println!(
        "full {full:?}\nincrement {increment:?}\nshare {share}, peak {:?} MiB",
        peak()
    );
}
