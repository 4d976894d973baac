//! Snapshots of recovery points against an API server in memory.

use serde_json::json;

use super::*;
use crate::testing::{Answer, cluster};

fn owner() -> Owner {
    Owner {
        extension: "dataprotection-microsoft".to_owned(),
        recovery_point: Uuid::from_u128(1),
        job: Uuid::from_u128(2),
        backup_instance: "/instances/a".to_owned(),
    }
}

const CLAIM: Claim<'_> = Claim {
    namespace: "shop",
    name: "data",
    uid: "u",
};

#[tokio::test]
async fn a_snapshot_that_was_asked_for_before_is_the_answer() {
    let (cluster, log) = cluster(|_| Answer::failed(409, "AlreadyExists", "it exists"));
    request(&cluster, &owner(), "s", &CLAIM, "fast")
        .await
        .unwrap();
    let asked = &log.all()[0];
    assert_eq!(
        asked.body["spec"]["source"]["persistentVolumeClaimName"],
        "data"
    );
    assert_eq!(asked.body["spec"]["volumeSnapshotClassName"], "fast");
    let labels = &asked.body["metadata"]["labels"];
    assert_eq!(labels[POINT_LABEL], Uuid::from_u128(1).to_string());
    assert_eq!(labels[MANAGED_BY_LABEL], MANAGED_BY);
}

#[tokio::test]
async fn what_is_kept_stays_when_its_snapshot_goes_and_says_whose_it_is() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let kept = keep(&cluster, &owner(), &CLAIM, "c").await.unwrap();
    assert!(kept.retained);
    assert_eq!(kept.recovery_point, Some(Uuid::from_u128(1)));
    assert_eq!(kept.job, Some(Uuid::from_u128(2)));
    assert_eq!(
        (kept.claim.as_str(), kept.backup_instance.as_str()),
        ("shop/data", "/instances/a")
    );
    assert_eq!(
        log.lines(),
        ["PATCH /apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents/c"]
    );
}

#[tokio::test]
async fn a_content_goes_with_the_drivers_snapshot_and_never_before_it() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let content = ContentState {
        name: "c".to_owned(),
        uid: "u".to_owned(),
        resource_version: "7".to_owned(),
        ..ContentState::default()
    };
    remove_content(&cluster, &content).await.unwrap();
    let asked = log.all();
    let (patch, delete) = (&asked[0].body, &asked[1]);
    assert_eq!(patch["spec"]["deletionPolicy"], "Delete");
    assert_eq!(patch["metadata"]["finalizers"], json!([BOUND_PROTECTION]));
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    assert_eq!(patch["metadata"]["annotations"][BEING_DELETED], "yes");
    assert_eq!(delete.method, "DELETE");
    assert_eq!(delete.body["preconditions"]["uid"], "u");
}

#[tokio::test]
async fn a_content_that_is_protected_already_is_not_protected_twice() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let content = ContentState {
        name: "c".to_owned(),
        finalizers: vec![BOUND_PROTECTION.to_owned()],
        ..ContentState::default()
    };
    remove_content(&cluster, &content).await.unwrap();
    assert!(log.all()[0].body["metadata"].get("finalizers").is_none());
}

#[tokio::test]
async fn removing_what_is_gone_is_no_trouble() {
    let (cluster, _) = cluster(|_| Answer::failed(404, "NotFound", "gone"));
    remove_content(&cluster, &ContentState::default())
        .await
        .unwrap();
    let there = remove_snapshot(&cluster, &SnapshotState::default())
        .await
        .unwrap();
    assert!(!there);
}

#[test]
fn a_snapshot_says_when_it_was_cut_and_what_troubles_it() {
    let state = SnapshotState::of(&json!({
        "metadata": {"namespace": "shop", "name": "s", "uid": "u",
            "creationTimestamp": "2026-11-22T21:00:00Z",
            "labels": {POINT_LABEL: Uuid::from_u128(1)}},
        "status": {"boundVolumeSnapshotContentName": "c", "readyToUse": false,
            "creationTime": "2026-11-22T21:00:01Z", "error": {"message": "limit reached"}},
    }));
    assert_eq!(state.content.as_deref(), Some("c"));
    assert_eq!(state.cut.map(|time| time.as_second()), Some(1_795_381_201));
    assert!(!state.ready);
    assert_eq!(state.error.as_deref(), Some("limit reached"));
    assert_eq!(state.recovery_point, Some(Uuid::from_u128(1)));
}

#[test]
fn a_content_says_what_the_driver_calls_the_snapshot_and_with_which_secrets() {
    let state = ContentState::of(&json!({
        "metadata": {"name": "c", "annotations":
            {"snapshot.storage.kubernetes.io/deletion-secret-name": "key", "other": "x"}},
        "spec": {"deletionPolicy": "Delete", "driver": "disk.example.com",
            "volumeSnapshotClassName": "fast", "source": {"volumeHandle": "v"},
            "volumeSnapshotRef": {"namespace": "shop", "name": "s"}},
        "status": {"snapshotHandle": "h", "creationTime": 1_795_381_201_000_000_000_i64,
            "restoreSize": 1_073_741_824},
    }));
    assert_eq!(state.handle.as_deref(), Some("h"));
    assert_eq!(state.restore_size, 1 << 30);
    assert_eq!(state.cut.map(|time| time.as_second()), Some(1_795_381_201));
    assert_eq!(state.made_for, ("shop".to_owned(), "s".to_owned()));
    assert_eq!(state.secrets.len(), 1);
    assert!(!state.retained);
    let nothing = ContentState::of(&json!({}));
    assert_eq!(nothing, ContentState::default());
}
