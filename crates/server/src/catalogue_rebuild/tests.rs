//! A catalogue that was lost comes back from the stores.

use std::collections::BTreeSet;
use std::path::Path;

use strongroom_api::storage::{Backend, S3Backend};

use super::stores::{places, search};
use super::*;
use crate::app::App;
use crate::store::RecoveryPointRow;
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::testing::{Harness, KUBECONFIG};
use crate::worker::{describe_for_test, reconcile_for_test};

fn keys() -> MasterKey {
    MasterKey::from_bytes(&[1; 32]).unwrap()
}

async fn found(blobs: &Path) -> Searched {
    search(&keys(), &places(blobs, &[]).unwrap()).await.unwrap()
}

/// The same server after its catalogue was lost and rebuilt, with the same stores and clusters.
async fn rebuilt(it: Protected) -> (Protected, Harness, Rebuilt) {
    let blobs = it.harness.app.blobs.path().to_owned();
    let places = places(&blobs, &[]).unwrap();
    let (found, findings) = found(&blobs).await;
    assert_eq!(findings, Vec::<String>::new());
    let mut told = None;
    let entropy = &*it.harness.app.entropy;
    let fill = async |store: &crate::store::Store| {
        let mut session = store.begin().await.unwrap();
        let merged = merge(found);
        let done = write(&mut *session, &keys(), entropy, merged, &places).await;
        told = Some(done.unwrap());
        session.commit().await.unwrap();
    };
    let later = it.harness.with_another_catalogue(fill).await;
    let (it, earlier) = it.after(later);
    (it, earlier, told.unwrap())
}

async fn points(app: &App, it: &Protected) -> Vec<RecoveryPointRow> {
    let mut session = app.store.read().await.unwrap();
    let key = it.instance.to_lowercase();
    let page = session.recovery_points(&key, (None, None), None, 100).await;
    page.unwrap().rows
}

#[tokio::test]
async fn what_was_protected_is_there_again_and_can_be_restored_from() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let point = it.recovery_point().await;
    it.immutability("Unlocked").await;
    describe_for_test(&it.harness.app).await;
    let (it, earlier, told) = rebuilt(it).await;
    assert_eq!(told.instances, std::slice::from_ref(&it.instance));
    assert_eq!(
        (told.vaults.len(), told.policies.len(), told.points),
        (1, 1, 2)
    );
    for path in [&it.vault, &it.policy, &it.instance, &it.container] {
        let before = Harness::answered(earlier.router.clone(), request(&earlier, path)).await;
        let after = it.harness.get(path).await;
        assert_eq!(after.status, 200, "{path}: {}", after.text);
        assert_eq!(
            after.json()["properties"],
            before.json()["properties"],
            "{path}"
        );
    }
    assert!(points(&it.harness.app, &it).await.is_empty());
    assert!(reconcile_for_test(&it.harness.app).await);
    let (before, after) = (
        points(&earlier.app, &it).await,
        points(&it.harness.app, &it).await,
    );
    let ids = |rows: &[RecoveryPointRow]| rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&before), ids(&after));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (before.tag(), before.created_at),
            (after.tag(), after.created_at)
        );
    }

    // Without a way into the cluster nothing goes on; with it everything does.
    let restore = restore_of(&point, &it.cluster);
    let refused = it.post("restore", restore.clone()).await;
    assert!(refused.status >= 400, "{}", refused.text);
    it.connect(KUBECONFIG).await;
    let accepted = it.post("restore", restore).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    it.look_until_created().await;
    let repository = it.repository().await;
    assert!(
        repository
            .verify(point.parse().unwrap())
            .await
            .unwrap()
            .is_whole()
    );
    it.claim(strongroom_kubernetes::crd::JobState::Completed, None);
    it.look_until_idle().await;
    // And the next backup goes on in the same repository.
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    it.extension_backs_up().await;
    assert_eq!(points(&it.harness.app, &it).await.len(), 3);
}

fn request(harness: &Harness, path: &str) -> axum::http::Request<axum::body::Body> {
    harness
        .request("GET", path)
        .body(axum::body::Body::empty())
        .unwrap()
}

#[tokio::test]
async fn another_cluster_under_the_old_name_is_refused() {
    let it = Protected::new().await;
    it.recovery_point().await;
    describe_for_test(&it.harness.app).await;
    let (it, _earlier, _) = rebuilt(it).await;
    it.harness.clusters.set_identity("another cluster");
    let body =
        serde_json::json!({"location": "westeurope", "properties": {"kubeconfig": KUBECONFIG}});
    let refused = it.harness.put(&it.cluster, body).await.refusal();
    assert_eq!(refused.1, "UserErrorKubeconfigOfAnotherCluster");
}

#[tokio::test]
async fn a_deleted_instance_comes_back_as_deleted() {
    let it = Protected::new().await;
    it.recovery_point().await;
    assert!(it.harness.delete(&it.instance).await.status < 300);
    describe_for_test(&it.harness.app).await;
    let (it, _earlier, _) = rebuilt(it).await;
    assert_eq!(it.harness.get(&it.instance).await.status, 404);
    let mut session = it.harness.app.store.read().await.unwrap();
    let deleted = session.deleted_resource(&it.instance.to_lowercase()).await;
    assert!(deleted.unwrap().is_some());
    drop(session);
    assert!(reconcile_for_test(&it.harness.app).await);
    assert_eq!(points(&it.harness.app, &it).await.len(), 1);
}

#[tokio::test]
async fn nothing_opens_with_another_key_and_a_copy_elsewhere_is_told() {
    let it = Protected::new().await;
    it.recovery_point().await;
    describe_for_test(&it.harness.app).await;
    let blobs = it.harness.app.blobs.path();
    let other = MasterKey::from_bytes(&[2; 32]).unwrap();
    let (none, findings) = search(&other, &places(blobs, &[]).unwrap()).await.unwrap();
    assert!(none.is_empty());
    assert!(
        findings[0].contains("does not open with this master key"),
        "{findings:?}"
    );
    std::fs::rename(blobs.join("acct01"), blobs.join("copied")).unwrap();
    let (none, findings) = found(blobs).await;
    assert!(none.is_empty());
    assert!(findings[0].contains("copied"), "{findings:?}");
}

#[tokio::test]
async fn a_catalogue_with_anything_in_it_is_left_alone() {
    let it = Protected::new().await;
    let merged = Merged::default();
    let mut session = it.harness.app.store.begin().await.unwrap();
    let entropy = &*it.harness.app.entropy;
    let refused = write(&mut *session, &keys(), entropy, merged, &[]).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, RunError::Copy(CopyError::NotEmpty { .. })),
        "{refused}"
    );
}

#[test]
fn the_file_of_an_account_is_checked_and_its_secret_told_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("account.json");
    let backend = Backend::S3(S3Backend {
        endpoint: "https://s3.example.org".to_owned(),
        access_key_id: "A".to_owned(),
        secret_access_key: Some(strongroom_api::secret::Secret::new("hush")),
        ..S3Backend::default()
    });
    let whole = serde_json::json!({"backend": backend, "buckets": ["one", "two"]});
    std::fs::write(&file, whole.to_string()).unwrap();
    let found = places(dir.path(), std::slice::from_ref(&file)).unwrap();
    assert_eq!(found.len(), 2);
    assert!(!format!("{found:?}").contains("hush"));
    for wrong in [
        r#"{"backend": {"kind": "S3", "secretAccessKey": "hush"}}"#,
        r#"{"backend": {"kind": "S3", "endpoint": "hush", "accessKeyId": "A"}, "buckets": ["b"]}"#,
        r#"{"backend": {"kind": "Embedded"}, "buckets": ["b"]}"#,
    ] {
        std::fs::write(&file, wrong).unwrap();
        let refused = places(dir.path(), std::slice::from_ref(&file)).unwrap_err();
        assert!(matches!(refused, RebuildError::Account { .. }), "{refused}");
    }
}
