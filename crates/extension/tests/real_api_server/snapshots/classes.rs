//! What a snapshot resource group says of a driver reaches that driver, by a class that goes again.

use std::time::Duration;

use serde_json::Value;
use strongroom_core::volumes::GivenClass;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::crd::{BackupSpec, JobState};
use strongroom_kubernetes::{jobs, snapshots};

use super::super::killed_at;
use super::super::stage::Stage;
use super::shop::{Shop, driver_file};

/// The test cluster's driver.
const DRIVER: &str = "loop.csi.local";
/// How long the driver is told to take before it cuts: longer than it ever takes by itself.
const CUT: Duration = Duration::from_millis(1200);

fn given(parameter: &str, value: &str) -> GivenClass {
    GivenClass {
        driver: DRIVER.to_owned(),
        parameters: [(parameter.to_owned(), value.to_owned())].into(),
        ..GivenClass::default()
    }
}

impl Shop<'_> {
    fn backup_by(&self, class: &GivenClass) -> BackupSpec {
        let mut backup = self.backup();
        backup.snapshot_classes = vec![class.clone()];
        backup
    }

    /// The names of the classes that this stage's extension made.
    async fn made(&self) -> Vec<String> {
        let made = snapshots::list_made(&self.stage.cluster, &self.stage.namespace).await;
        made.unwrap().into_iter().map(|class| class.name).collect()
    }
}

/// How long the driver took for the snapshot of a handle; none where its files are not on this machine.
fn taken_for(handle: &str) -> Option<Duration> {
    let calls = driver_file("calls.jsonl")?;
    let mut calls = calls
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let call = calls
        .find(|call| call["call"] == "CreateSnapshot" && call["snapshot"] == handle)
        .expect("the driver was called");
    let time = |field: &str| -> jiff::Timestamp { call[field].as_str().unwrap().parse().unwrap() };
    Some(time("end").duration_since(time("begin")).unsigned_abs())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_gets_the_parameters_of_the_snapshot_resource_group_and_others_keep_their_class() {
    let Some(stage) = Stage::new("snapshots-given").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "given", 2).await else {
        return;
    };
    let class = given("cutMillis", &CUT.as_millis().to_string());
    let name = class.name(&stage.namespace);
    for (place, crash) in [
        ("nowhere", CrashPoints::none()),
        ("snapshot:before", killed_at("snapshot:before")),
        ("snapshot:during", killed_at("snapshot:during")),
    ] {
        let backup = shop.backup_by(&class);
        let status = stage.run_backup(&backup, crash).await;
        let lines = shop.claim_lines(&backup, &status).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {lines:#?}");
        let words = format!("by class {name} (the snapshot resource group says so)");
        assert!(
            lines.iter().all(|line| line.reason.contains(&words)),
            "{place}: {lines:#?}"
        );
        let contents = shop.contents(backup.recovery_point_id).await;
        assert_eq!(contents.len(), 2, "{place}");
        for content in &contents {
            assert_eq!(content.class, name, "{place}");
            let took = taken_for(content.handle.as_deref().unwrap());
            assert!(took.is_none_or(|took| took >= CUT), "{place}: {took:?}");
        }

        let plain = shop.backup();
        let status = stage.run_backup(&plain, CrashPoints::none()).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        for content in shop.contents(plain.recovery_point_id).await {
            assert_ne!(content.class, name, "{place}: it is the cluster's own");
        }
        shop.reconcile().await;
        assert_eq!(
            shop.made().await,
            [name.as_str()],
            "{place}: a content names it"
        );
        for backup in [&backup, &plain] {
            stage.forget(backup).await;
        }
        shop.reconcile().await;
        assert_eq!(shop.made().await, [""; 0], "{place}");
    }
    assert_eq!(shop.all().await, (vec![], vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_the_driver_refuses_cost_the_data_and_leave_no_class_behind() {
    let Some(mut stage) = Stage::new("snapshots-refused").await else {
        return;
    };
    stage.waits.trouble = Duration::from_secs(2);
    let Some(shop) = Shop::open(&stage, "refused", 1).await else {
        return;
    };
    let backup = shop.backup_by(&given("nonsense", "1"));
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = shop.claim_lines(&backup, &status).await;
    assert_eq!(
        lines[0].code.as_deref(),
        Some("VolumeSnapshotFailed"),
        "{lines:#?}"
    );
    assert!(
        lines[0].reason.contains("nonsense=1 is not understood"),
        "{lines:#?}"
    );
    let backup = shop.backup_by(&given("readyMillis", "1"));
    stage
        .die_in_backup(&backup, killed_at("snapshot:during"))
        .await;
    assert_eq!(shop.made().await.len(), 2, "both are there");
    jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
        .await
        .unwrap();
    let swept = async {
        while shop.reconcile().await.left > 0 || !shop.made().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::super::stage::PATIENCE, swept)
        .await
        .expect("nothing is left");
    assert_eq!(shop.all().await, (vec![], vec![]));
    shop.close().await;
}
