//! Measures what the writer of a recovery point costs an object, and what an increment adds.
//!
//! `cargo run --release -p strongroom-repository --example write_speed -- [objects] [folder]`
//!
//! Writes that many objects of about 2.8 KiB (JSON as API servers send it, partly random), then
//! again with 1 % changed, then verifies the increment, and prints rates, CPU time and peak memory.
//! Without a folder the store is a new one under the system's temporary folder.

#![expect(
    clippy::print_stdout,
    reason = "figures on the terminal are what this program is for"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use strongroom_repository::{
    Entropy, Repository, RepositoryKey, Result, Sealed, SystemEntropy, WriterOptions,
};
use uuid::Uuid;

/// An object as an API server lists it: about a third of it random.
fn body(number: u64, generation: u64) -> Bytes {
    let mut random = [0_u8; 500];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(&generation.to_be_bytes());
    hasher.finalize_xof().fill(&mut random);
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let (one, two) = hex.split_at(500);
    let object = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": format!("item-{number:06}"), "namespace": format!("ns-{:02}", number / 5000),
            "uid": format!("{}-{}", &hex[..8], &hex[8..12]),
            "resourceVersion": format!("{}", 100_000 + number + generation),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "app.kubernetes.io/name": "shop", "app.kubernetes.io/part-of": "load" },
            "managedFields": [{
                "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1",
                "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": { "f:data": { ".": {}, "f:one": {}, "f:two": {} }, "f:metadata": {
                    "f:labels": { ".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {} } } },
            }],
        },
        "data": { "one": one, "two": two, "text": "lorem ipsum dolor sit amet, ".repeat(42) },
    });
    object.to_string().into()
}

async fn write(
    repository: &Repository,
    bodies: &[Bytes],
    point: u128,
    parent: Option<u128>,
) -> Result<Sealed> {
    let options = WriterOptions {
        parent: parent.map(Uuid::from_u128),
        attempt: 1,
    };
    let mut writer = repository.begin(Uuid::from_u128(point), options).await?;
    writer
        .start_run("configmaps.", serde_json::json!({}))
        .await?;
    for (number, body) in bodies.iter().enumerate() {
        let name = format!("ns-{:02}/item-{number:06}", number / 5000);
        let meta = format!("{{\"uid\":\"{number:036}\",\"resourceVersion\":\"{number}\"}}");
        writer.put(name, meta, body.clone()).await?;
    }
    writer.finish_run().await?;
    writer
        .seal(serde_json::json!({}), jiff::Timestamp::UNIX_EPOCH)
        .await
}

/// Seconds of CPU that the process has taken, and its peak of resident memory in MiB.
fn used() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // Linux counts in hundredths of a second for programs (`USER_HZ`).
    (
        (ticks(11) + ticks(12)) / 100.0,
        peak.unwrap_or_default() / 1024,
    )
}

/// Runs a part and prints what it took.
async fn measured<T>(what: &str, objects: u64, part: impl Future<Output = Result<T>>) -> Result<T> {
    let (cpu, before) = used();
    #[expect(
        clippy::disallowed_methods,
        reason = "measuring is what this program is for"
    )]
    let started = Instant::now();
    let done = part.await?;
    let (wall, (end, peak)) = (started.elapsed().as_secs_f64(), used());
    println!(
        "{what}: {:.0} objects/s, {:.1} us of CPU an object, {wall:.2} s, peak {before} -> {peak} MiB",
        objects as f64 / wall,
        (end - cpu) * 1e6 / objects as f64,
    );
    Ok(done)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let objects = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let folder = arguments
        .next()
        .map_or(temporary.path().to_owned(), Into::into);
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
    let mut seed = [0; 32];
    SystemEntropy.fill(&mut seed)?;
    let key = RepositoryKey::new(seed);
    let prefix = Path::from("one");
    let repository = Repository::open_or_create(store, prefix, &key, &SystemEntropy).await?;
    let mut bodies: Vec<Bytes> = (0..objects).map(|number| body(number, 0)).collect();
    let bytes: usize = bodies.iter().map(Bytes::len).sum();
    println!(
        "{objects} objects of {} bytes on average",
        bytes as u64 / objects
    );
    let full = measured("full", objects, write(&repository, &bodies, 1, None))
        .await?
        .stats;
    for number in (0..objects).step_by(100) {
        if let Some(changed) = bodies.get_mut(number as usize) {
            *changed = body(number, 1);
        }
    }
    let increment = measured(
        "increment",
        objects,
        write(&repository, &bodies, 2, Some(1)),
    );
    let increment = increment.await?.stats;
    println!(
        "stored {} bytes, the increment {} ({:.2} %)",
        full.new_bytes,
        increment.new_bytes,
        increment.new_bytes as f64 * 100.0 / full.new_bytes as f64,
    );
    let verified = repository.verify(Uuid::from_u128(2));
    let verified = measured("verify", objects, verified).await?;
    println!("{} damages", verified.damages);
    let mut report = repository.report_writer(Uuid::from_u128(3), 1);
    let lines = async {
        for number in 0..objects {
            let line = format!(
                "{{\"object\":{{\"group\":\"\",\"version\":\"v1\",\"kind\":\"ConfigMap\",\"namespace\":\"ns-01\",\"name\":\"item-{number}\"}},\"outcome\":\"BackedUp\",\"reason\":\"everything is chosen\",\"bytes\":2800}}"
            );
            report.append(line.as_bytes()).await?;
        }
        report.finish().await
    };
    measured("report", objects, lines).await?;
    Ok(())
}
