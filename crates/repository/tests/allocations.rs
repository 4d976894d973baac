//! What the writer of a recovery point and of its report asks of the allocator for each object: a few
//! small pieces, and no copy of the object. A test of counts, which do not depend on the machine.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use strongroom_repository::{Entropy, Repository, RepositoryKey, Result, WriterOptions};
use uuid::Uuid;

const OBJECTS: u64 = 20_000;
/// Bytes of a body behind the part that all share.
const REST: usize = 2_000;

struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(1);
        Ok(())
    }
}

async fn write(repository: &Repository, body: &[Bytes; 2]) -> Result<u64> {
    let mut writer = repository
        .begin(Uuid::from_u128(1), WriterOptions::default())
        .await?;
    let mut report = repository.report_writer(Uuid::from_u128(1), 1);
    writer
        .start_run("configmaps.", serde_json::json!({}))
        .await?;
    for number in 0..OBJECTS {
        let name = format!("shop/item-{number:06}");
        let meta = br#"{"u":"0b1c","v":"1234"}"#.to_vec();
        writer.put_parts(name, meta, body.clone()).await?;
        let line = (number, "BackedUp", "it is in a chosen namespace");
        report.append_value(&line).await?;
    }
    writer.finish_run().await?;
    report.finish().await?;
    let sealed = writer
        .seal(serde_json::json!({}), jiff::Timestamp::UNIX_EPOCH)
        .await?;
    Ok(sealed.stats.bytes)
}

#[test]
fn an_object_costs_a_few_small_allocations_and_no_copy_of_its_bytes() {
    // One thread for all tasks, so that all of them are counted.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let key = RepositoryKey::new([3; 32]);
    let store = Arc::new(InMemory::new());
    let opened = Repository::open_or_create(store, Path::from("one"), &key, &Fixed);
    let repository = runtime.block_on(opened).unwrap();
    let body = [
        Bytes::from_static(b"{\"kind\":\"ConfigMap\","),
        Bytes::from(vec![b' '; REST]),
    ];
    let mut written = None;
    let asked = allocation_counter::measure(|| {
        written = Some(runtime.block_on(write(&repository, &body)));
    });
    let bytes = written.unwrap().unwrap();
    assert_eq!(
        bytes,
        OBJECTS * body.iter().map(Bytes::len).sum::<usize>() as u64
    );
    let (count, bytes) = (asked.count_total / OBJECTS, asked.bytes_total / OBJECTS);
    assert!(count <= 5, "{count} allocations an object");
    assert!(
        bytes <= 1_200,
        "{bytes} bytes are allocated for an object of {REST}"
    );
}
