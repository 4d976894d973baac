//! Verdicts on recovery points in the embedded store, whole and damaged.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::testing::protection::{Protected, adhoc};

/// Verifies the point and returns the operation's end and its result.
async fn verified(it: &Protected, point: &str) -> (Value, Value) {
    let path = format!("{}/recoveryPoints/{point}/verify", it.instance);
    let answer = it.harness.call("POST", &path, None).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let ended = it.ended(answer.header("azure-asyncoperation")).await;
    let result = it.follow(answer.header("location")).await;
    let result = serde_json::from_str(&result.text).unwrap_or(Value::Null);
    (ended, result)
}

/// Files of the repository whose path holds `part`.
fn files(it: &Protected, part: &str) -> Vec<PathBuf> {
    let mut folders = vec![it.harness.app.blobs.path().join("acct01/backups/instances")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            match entry.unwrap().path() {
                path if path.is_dir() => folders.push(path),
                path if path.to_str().unwrap().contains(part) => found.push(path),
                _ => {}
            }
        }
    }
    found
}

fn flip_a_byte(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

async fn of_published(it: &Protected, point: &str) -> Value {
    let path = format!("{}/recoveryPoints/{point}", it.instance);
    it.harness.get(&path).await.json()["properties"]["verification"].clone()
}

#[tokio::test]
async fn a_whole_point_is_said_to_be_whole_and_keeps_the_verdict() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    assert!(of_published(&it, &point).await.is_null());
    let (_, result) = verified(&it, &point).await;
    assert_eq!(result["state"], "Whole", "{result}");
    assert_eq!(result["problemCount"], 0);
    assert_eq!(of_published(&it, &point).await, result);
}

#[tokio::test]
async fn a_damaged_pack_is_named_with_its_code_and_the_point_is_marked() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    flip_a_byte(&files(&it, "/packs/")[0]);
    let (ended, result) = verified(&it, &point).await;
    assert_eq!(ended["status"], "Succeeded", "the verdict is no failure");
    assert_eq!(result["state"], "Damaged", "{result}");
    assert!(result["problemCount"].as_u64().unwrap() > 0);
    let problem = &result["problems"][0];
    assert_eq!(problem["code"], "RecoveryPointCorrupt");
    assert!(!problem["object"].as_str().unwrap().is_empty());
    assert!(!problem["recommendedAction"][0].as_str().unwrap().is_empty());
    assert_eq!(of_published(&it, &point).await["state"], "Damaged");
}

#[tokio::test]
async fn missing_cut_and_foreign_files_are_damage_as_well() {
    for (what, spoil) in [
        (
            "a missing pack",
            (|it: &Protected| {
                std::fs::remove_file(&files(it, "/packs/")[0]).unwrap();
            }) as fn(&Protected),
        ),
        ("a cut pack", |it| {
            let pack = &files(it, "/packs/")[0];
            let bytes = std::fs::read(pack).unwrap();
            std::fs::write(pack, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("a missing manifest", |it| {
            std::fs::remove_file(&files(it, "/manifest")[0]).unwrap();
        }),
        ("a damaged manifest", |it| {
            flip_a_byte(&files(it, "/manifest")[0])
        }),
        ("a manifest in place of a pack", |it| {
            std::fs::copy(&files(it, "/manifest")[0], &files(it, "/packs/")[0]).unwrap();
        }),
        ("a damaged format", |it| {
            flip_a_byte(&files(it, "/format")[0])
        }),
    ] {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        spoil(&it);
        let (_, result) = verified(&it, &point).await;
        assert_eq!(result["state"], "Damaged", "{what}: {result}");
        let code = result["problems"][0]["code"].as_str().unwrap();
        if what.ends_with("manifest") {
            assert_eq!(code, "RecoveryPointCorrupt", "{what}");
        }
        assert!(Code::parse(code).is_some(), "{what}: {code}");
    }
}

#[tokio::test]
async fn a_manifest_that_was_rolled_back_is_not_taken_for_the_one_that_was_sealed() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    // The store's own record of what was sealed is what the manifest is compared with.
    let mut session = it.harness.app.store.begin().await.unwrap();
    let id = point.parse().unwrap();
    let mut row = session.recovery_point(id).await.unwrap().unwrap();
    row.body["properties"]["manifestDigest"] = "00".repeat(32).into();
    session
        .put_recovery_point_body(id, &row.body)
        .await
        .unwrap();
    session.commit().await.unwrap();
    let (_, result) = verified(&it, &point).await;
    assert_eq!(result["state"], "Damaged", "{result}");
}

#[tokio::test]
async fn a_verification_that_a_killed_server_left_open_is_done_anew() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    let id = ResourceId::published(format!("{}/recoveryPoints/{point}", it.instance));
    // Accepted, and then the process ended before it began.
    let (operation, is_new) = start(&it.harness.app, &id).await.unwrap();
    assert!(is_new);
    crate::worker::take_up_for_test(&it.harness.app).await;
    loop {
        let mut session = it.harness.app.store.read().await.unwrap();
        let row = session.operation(&operation.id).await.unwrap().unwrap();
        if row.status.is_final() {
            assert_eq!(row.result["state"], "Whole");
            return;
        }
        drop(session);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_point_that_is_deleted_meanwhile_cancels_its_verification() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    let id = ResourceId::published(format!("{}/recoveryPoints/{point}", it.instance));
    let (operation, _) = start(&it.harness.app, &id).await.unwrap();
    let mut session = it.harness.app.store.begin().await.unwrap();
    let deleted = session.delete_recovery_point(point.parse().unwrap()).await;
    assert!(deleted.unwrap());
    session.commit().await.unwrap();
    settle(Arc::clone(&it.harness.app), operation.clone()).await;
    let mut session = it.harness.app.store.read().await.unwrap();
    let row = session.operation(&operation.id).await.unwrap().unwrap();
    assert_eq!(row.status, crate::store::OperationStatus::Canceled);
}

#[tokio::test]
async fn the_next_backup_does_not_rest_on_what_is_damaged() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    flip_a_byte(&files(&it, "/packs/")[0]);
    verified(&it, &point).await;
    it.harness.clock.advance(std::time::Duration::from_secs(60));
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    let asked = || match it.harness.clusters.resources().remove(0).spec {
        crate::cluster_link::JobSpec::Backup(spec) => spec.parent_recovery_point_id,
        crate::cluster_link::JobSpec::Restore(_) => panic!("no backup"),
    };
    assert_eq!(asked(), None);
    it.extension_backs_up().await;
    it.harness.clock.advance(std::time::Duration::from_secs(60));
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    // What was made since without a parent is a sound one.
    assert!(asked().is_some_and(|parent| parent.to_string() != point));
}
