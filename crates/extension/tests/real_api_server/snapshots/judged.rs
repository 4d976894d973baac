//! What a reconciliation judges, it judges by what holds when it acts; and what says whose a snapshot is stays
//! on it.

use serde_json::json;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::{Reconciled, reconcile};
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{BackupSpec, JobState};
use strongroom_kubernetes::jobs;
use strongroom_kubernetes::snapshots::{self, ContentState};
use uuid::Uuid;

use super::super::faults::Faults;
use super::super::killed_at;
use super::super::stage::{PATIENCE, Stage};
use super::shop::Shop;

const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Keeps a content where it is, as a driver does that takes its time to delete.
const HOLD: &str = "example.com/takes-its-time";

impl Shop<'_> {
    /// Writes the finalizers of the one content of a recovery point, marked or not, once it is there.
    async fn hold(&self, backup: &BackupSpec, hold: bool) {
        let held = async {
            let part = backup.recovery_point_id.simple().to_string();
            loop {
                let (_, contents) = self.all().await;
                let of_it = |one: &&ContentState| one.made_for.1.contains(&part);
                if let Some(content) = contents.iter().find(of_it) {
                    let others = content.finalizers.iter().filter(|one| *one != HOLD);
                    let mut finalizers: Vec<&str> = others.map(String::as_str).collect();
                    finalizers.extend(hold.then_some(HOLD));
                    let changes = json!({"metadata": {"finalizers": finalizers,
                        "resourceVersion": content.resource_version}});
                    let (cluster, kind) = (&self.stage.cluster, snapshots::contents());
                    let written =
                        objects::patch_merge(cluster, &kind, None, &content.name, &changes).await;
                    if written.is_ok() {
                        return;
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, held)
            .await
            .expect("a content to hold");
    }

    /// Takes our annotations from the one content of a recovery point, once it is marked.
    async fn lose_annotations(&self, point: Uuid) {
        let lost = async {
            loop {
                if let Some(content) = self.contents(point).await.first() {
                    let (cluster, kind) = (&self.stage.cluster, snapshots::contents());
                    let changes = json!({"metadata": {"annotations": {
                        snapshots::INSTANCE_ANNOTATION: null, snapshots::JOB_ANNOTATION: null,
                        snapshots::CLAIM_ANNOTATION: null, snapshots::CLAIM_UID_ANNOTATION: null}}});
                    objects::patch_merge(cluster, &kind, None, &content.name, &changes)
                        .await
                        .unwrap();
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, lost)
            .await
            .expect("a content that is marked");
    }

    async fn until_one_is_going(&self) {
        let going = async {
            while !self.all().await.1.iter().any(|content| content.terminating) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, going)
            .await
            .expect("one is on its way out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_that_is_sealed_while_another_is_removed_keeps_its_snapshots() {
    let Some(stage) = Stage::new("snapshots-judged").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "judged", 1).await else {
        return;
    };
    // Ledgers are looked at in the order of their recovery points.
    let (mut lost, mut going_on) = (shop.backup(), shop.backup());
    if lost.recovery_point_id > going_on.recovery_point_id {
        std::mem::swap(&mut lost, &mut going_on);
    }
    for backup in [&lost, &going_on] {
        stage
            .die_in_backup(backup, killed_at("snapshot:during"))
            .await;
        if backup == &lost {
            jobs::delete_backup(&stage.cluster, &stage.namespace, lost.job_id)
                .await
                .unwrap();
        }
    }
    shop.hold(&lost, true).await;

    let environment = stage.environment(CrashPoints::none());
    let reconciling = tokio::spawn(async move { reconcile(&environment).await });
    shop.until_one_is_going().await;
    let process = stage.start(CrashPoints::none());
    let name = jobs::backup_name(going_on.job_id);
    let status = stage.ended(&jobs::backups(), &name).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    drop(process);
    jobs::delete_backup(&stage.cluster, &stage.namespace, going_on.job_id)
        .await
        .unwrap();
    shop.hold(&lost, false).await;
    let done = reconciling.await.unwrap().unwrap();
    assert_eq!((done.left, done.missing), (0, 0), "{done:?}");

    assert_eq!(shop.contents(going_on.recovery_point_id).await.len(), 1);
    assert_eq!(shop.ledger(lost.recovery_point_id).await, None);
    assert_eq!(shop.reconcile().await, Reconciled::default());
    assert_eq!(stage.forget(&going_on).await.volumes, 1);
    assert_eq!(shop.all().await, (vec![], vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_loses_its_annotations_while_it_is_made_says_again_whose_it_is() {
    let Some(stage) = Stage::new("snapshots-marks").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "marks", 1).await else {
        return;
    };
    let _faults = Faults::of_driver(&stage.cluster, &json!({"cutMillis": "2000"})).await;
    let backup = shop.backup();
    let process = stage.start(CrashPoints::none());
    let (status, ()) = tokio::join!(
        stage.back_up_with(&backup),
        shop.lose_annotations(backup.recovery_point_id)
    );
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    let window = status.snapshot_window_millis.unwrap_or_default();
    assert!(window >= 2_000, "{status:#?}");
    drop(process);
    let contents = shop.contents(backup.recovery_point_id).await;
    let [content] = &contents[..] else {
        panic!("one content, not {contents:#?}");
    };
    assert_eq!(content.job, Some(backup.job_id), "{content:#?}");
    assert_eq!(content.claim, format!("{}/data-0", shop.namespace));
    assert_eq!(stage.forget(&backup).await.volumes, 1);
    shop.close().await;
}
