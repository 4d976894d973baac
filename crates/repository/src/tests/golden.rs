//! Golden repositories: what any released version wrote is read for ever. And the test vectors of
//! `docs/format.md`, computed and looked up in the text.
//!
//! `tests-data/format-v1` was written once by this module (`STRONGROOM_WRITE_GOLDEN=1`, into a
//! folder that does not exist yet); it is never written again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};

use super::fixtures::*;
use crate::crypto::{Content as Named, Keys, Kind, Role};
use crate::entropy::RandomStream;
use crate::{Repository, Result, compression};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests-data/format-v1")
}

/// A first point and an increment with a changed, a new, a touched and a removed object.
fn contents() -> (Content, Content) {
    let before = noisy(10);
    let mut after = before.clone();
    let run = after.get_mut("deployments.apps").unwrap();
    run.insert(
        "shop/item-0003".into(),
        (vec![9], b"{\"changed\":true}".repeat(20)),
    );
    run.insert(
        "shop/item-0100".into(),
        (vec![9], b"{\"new\":true}".to_vec()),
    );
    run.remove("shop/item-0004");
    run.get_mut("shop/item-0005").unwrap().0 = b"touched".to_vec();
    (before, after)
}

/// The content of a point with every byte string as text or hexadecimal.
async fn told(repository: &Repository, point: uuid::Uuid) -> Result<Value> {
    let mut told = json!({ "digest": repository.point(point).await?.digest(), "runs": {} });
    for (group, entries) in read(repository, point).await? {
        for (name, (meta, body)) in entries {
            told["runs"][&group][&name] = json!({ "meta": hex(&meta), "body": hex(&body) });
        }
    }
    Ok(told)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn write_golden(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("store")).unwrap();
    let store: Arc<dyn ObjectStore> =
        Arc::new(LocalFileSystem::new_with_prefix(folder.join("store")).unwrap());
    let repository = open(&store).await?;
    let (before, after) = contents();
    write_tiny(&repository, id(1), None, 1, &before).await?;
    write_tiny(&repository, id(2), Some(id(1)), 1, &after).await?;
    let mut report = repository.report_writer(id(3), 1);
    report.append(b"{\"outcome\":\"BackedUp\"}").await?;
    report.finish().await?;
    let told = json!({
        "key": hex(key().as_bytes()),
        "points": { "1": told(&repository, id(1)).await?, "2": told(&repository, id(2)).await? },
    });
    let text = serde_json::to_string_pretty(&told).unwrap();
    std::fs::write(folder.join("content.json"), text + "\n").unwrap();
    Ok(())
}

#[tokio::test]
async fn the_golden_repository_of_format_1_is_read() {
    let folder = folder();
    if !folder.exists() && std::env::var_os("STRONGROOM_WRITE_GOLDEN").is_some() {
        write_golden(&folder).await.unwrap();
    }
    let text = std::fs::read_to_string(folder.join("content.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(expected["key"], hex(key().as_bytes()));
    let store: Arc<dyn ObjectStore> =
        Arc::new(LocalFileSystem::new_with_prefix(folder.join("store")).unwrap());
    let repository = open(&store).await.unwrap();
    for (name, point) in [("1", id(1)), ("2", id(2))] {
        assert_eq!(
            told(&repository, point).await.unwrap(),
            expected["points"][name]
        );
        assert!(repository.verify(point).await.unwrap().is_whole());
    }
    assert_eq!(read(&repository, id(2)).await.unwrap(), contents().1);
    let page = repository.read_report(id(3), 1, 0, 10).await.unwrap();
    assert_eq!(
        (page.complete, page.lines),
        (true, vec![b"{\"outcome\":\"BackedUp\"}".to_vec()])
    );
}

#[test]
fn the_test_vectors_of_the_specification_hold() {
    let repository_key = key();
    let derived = |context: &str| blake3::derive_key(context, repository_key.as_bytes());
    let ids = derived("strongroom repository 2026-11 v1 content ids");
    let sealing = derived("strongroom repository 2026-11 v1 sealing root");
    let path = "packs/00000000-0000-0000-0000-000000000001/1-0";
    let object_key = blake3::keyed_hash(&sealing, &[b"P", path.as_bytes()].concat());
    let keys = Keys::derive(&repository_key);
    let body = b"{\"kind\":\"ConfigMap\"}";
    let random = RandomStream::new(&Fixed(0)).unwrap();
    let mut encoder = compression::Encoder::new().unwrap();
    let packed = encoder.pack(body, 1).unwrap();
    let payload = packed.parts().concat();
    let key = keys.object_key(Role::Pack, path).unwrap();
    let mut object = BytesMut::from(&[0; 8][..]);
    key.seal_onto(&mut object, Kind::Frame, &packed, &random)
        .unwrap();
    let sealed = object.split_off(8);
    assert_eq!(
        key.open(Kind::Frame, 8, &sealed).as_deref(),
        Some(payload.as_slice())
    );
    assert_eq!(key.open(Kind::Leaf, 8, &sealed), None);
    assert_eq!(key.open(Kind::Frame, 9, &sealed), None);
    let vectors = [
        ("content id key", hex(&ids)),
        ("key check", hex(&keys.check_value())),
        ("sealing root", hex(&sealing)),
        ("object key", object_key.to_string()),
        ("body id", keys.content_id(Named::Body, body).to_string()),
        ("payload", hex(&payload)),
        ("section", hex(&sealed)),
    ];
    let listed: String = vectors
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let text = include_str!("../../../../docs/format.md");
    for (name, value) in vectors {
        assert!(
            text.contains(&value),
            "docs/format.md lacks the {name}; they are:\n{listed}"
        );
    }
}
