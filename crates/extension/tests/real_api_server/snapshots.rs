//! Volume snapshots by a real driver: what a backup takes stands by itself, nothing is left behind whatever
//! dies, and what is forgotten is gone from the driver's own storage.

#[path = "snapshots/classes.rs"]
mod classes;
#[path = "snapshots/groups.rs"]
mod groups;
#[path = "snapshots/judged.rs"]
mod judged;
#[path = "snapshots/shop.rs"]
mod shop;
#[path = "snapshots/trouble.rs"]
mod trouble;

use serde_json::json;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::Reconciled;
use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::jobs;

use self::shop::{Shop, is_on_disk};
use super::killed_at;
use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_snapshot_outlives_its_namespace_and_is_gone_when_it_is_forgotten() {
    let Some(stage) = Stage::new("snapshots").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "outlive", 8).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let lines = shop.claim_lines(&backup, &status).await;
    assert_eq!(status.state, JobState::Completed, "{lines:#?}");
    assert_eq!(status.volumes, 8);
    assert!(status.snapshot_window_millis.is_some());
    assert!(lines.iter().all(|line| line.outcome == Outcome::BackedUp));
    assert!(
        lines
            .iter()
            .all(|line| line.reason.contains("a volume snapshot of")),
        "{lines:#?}"
    );
    let contents = shop.contents(backup.recovery_point_id).await;
    assert_eq!(contents.len(), 8);
    assert!(
        contents
            .iter()
            .all(|content| content.retained && content.ready)
    );
    shop.reconcile().await;
    let (asked, _) = shop.all().await;
    assert_eq!(asked, [], "nothing of ours stays in the namespace");
    assert_eq!(
        shop.ledger(backup.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );

    shop.close().await;
    assert_eq!(shop.reconcile().await, Reconciled::default());
    let after = shop.contents(backup.recovery_point_id).await;
    assert_eq!(after.len(), 8);
    let handles: Vec<String> = after
        .into_iter()
        .filter_map(|content| content.handle)
        .collect();
    assert_eq!(handles.len(), 8);
    for handle in &handles {
        assert_ne!(is_on_disk(handle), Some(false), "{handle}");
    }

    let forgotten = stage.forget(&backup).await;
    assert_eq!(forgotten.state, JobState::Completed, "{forgotten:#?}");
    assert_eq!(forgotten.volumes, 8);
    assert_eq!(shop.contents(backup.recovery_point_id).await, []);
    assert_eq!(shop.ledger(backup.recovery_point_id).await, None);
    for handle in &handles {
        assert_ne!(is_on_disk(handle), Some(true), "{handle}");
    }
    let again = stage.forget(&backup).await;
    assert_eq!((again.state, again.volumes), (JobState::Completed, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_anywhere_has_each_snapshot_once() {
    let Some(stage) = Stage::new("snapshots-killed").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "killed", 3).await else {
        return;
    };
    for place in [
        "collect:after",
        "snapshot:before",
        "snapshot:during",
        "snapshot:after",
        "report:after",
        "seal:before",
        "seal:after",
    ] {
        let backup = shop.backup();
        let status = stage.run_backup(&backup, killed_at(place)).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        assert_eq!((status.attempt, status.volumes), (2, 3), "{place}");
        assert_eq!(
            shop.contents(backup.recovery_point_id).await.len(),
            3,
            "{place}"
        );
        shop.reconcile().await;
        let ledger = shop.ledger(backup.recovery_point_id).await.unwrap();
        assert_eq!(ledger["state"], "Kept", "{place}");
        assert_eq!(ledger["entries"].as_array().unwrap().len(), 3, "{place}");
        assert_eq!(
            stage.forget(&backup).await.state,
            JobState::Completed,
            "{place}"
        );
        assert_eq!(shop.all().await, (vec![], vec![]), "{place}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cancelled_with_its_extension_leaves_nothing() {
    let Some(stage) = Stage::new("snapshots-cancelled").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "cancelled", 2).await else {
        return;
    };
    for place in ["snapshot:during", "snapshot:after"] {
        let backup = shop.backup();
        stage.die_in_backup(&backup, killed_at(place)).await;
        jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
            .await
            .unwrap();
        assert!(
            shop.ledger(backup.recovery_point_id).await.is_some(),
            "{place}"
        );
        let done = shop.reconcile().await;
        assert_eq!((done.removed, done.left), (2, 0), "{place}");
        assert_eq!(shop.all().await, (vec![], vec![]), "{place}");
        assert_eq!(shop.ledger(backup.recovery_point_id).await, None, "{place}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_may_exist_keeps_its_snapshots_until_its_store_was_asked() {
    let Some(stage) = Stage::new("snapshots-doubt").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "doubt", 1).await else {
        return;
    };
    // Died between the ledger's last word and the seal, or just behind the seal; the jobs never come back.
    let mut doubtful = Vec::new();
    for place in ["seal:during", "seal:after"] {
        let backup = shop.backup();
        stage.die_in_backup(&backup, killed_at(place)).await;
        jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
            .await
            .unwrap();
        let done = shop.reconcile().await;
        if place == "seal:during" {
            assert_eq!(done, Reconciled::default());
            assert_eq!(
                shop.contents(backup.recovery_point_id).await.len(),
                1,
                "in doubt it stays"
            );
        } else {
            // The second backup asked the store for the first one's point.
            assert_eq!(done.removed, 1);
        }
        doubtful.push(backup);
    }
    let [lost, sealed] = doubtful.as_slice() else {
        panic!("two of them")
    };
    assert_eq!(shop.contents(lost.recovery_point_id).await, []);
    shop.lose_last_word_of(sealed).await;
    assert_eq!(shop.reconcile().await, Reconciled::default());

    let next = shop.backup();
    let status = stage.run_backup(&next, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    shop.reconcile().await;
    assert_eq!(shop.contents(sealed.recovery_point_id).await.len(), 1);
    assert_eq!(
        shop.ledger(sealed.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );
    for backup in [sealed, &next] {
        stage.forget(backup).await;
    }
    assert_eq!(shop.all().await, (vec![], vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_whose_ledgers_were_lost_with_the_extension_are_not_taken_for_nobodys() {
    let Some(stage) = Stage::new("snapshots-lost").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "lost", 1).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    shop.lose_ledger_of(&backup).await;
    assert_eq!(shop.reconcile().await, Reconciled::default());
    assert_eq!(shop.contents(backup.recovery_point_id).await.len(), 1);
    shop.reconcile().await;
    assert_eq!(
        shop.ledger(backup.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );
    assert_eq!(stage.forget(&backup).await.volumes, 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_data_cannot_be_snapshotted_is_named_and_the_others_are() {
    let Some(stage) = Stage::new("snapshots-odd").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "odd", 1).await else {
        return;
    };
    // This class waits for a pod, which never comes.
    shop.claim("waits", "csi-loop").await;
    shop.static_claim("static", json!({"hostPath": {"path": "/tmp"}}))
        .await;
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = shop.claim_lines(&backup, &status).await;
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            (
                line.object.name.as_str(),
                line.code.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("data-0", ""),
            ("static", "VolumeDataNotProtected"),
            ("waits", "UserErrorPVCNotBoundToVolume")
        ],
        "{lines:#?}"
    );
    assert_eq!(status.volumes, 1);
    stage.forget(&backup).await;
    shop.close().await;
    shop.remove_static().await;
}
