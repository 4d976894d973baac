//! What jobs wait for, for how long, and what is left when they give up.

use std::time::Duration;

use jiff::SignedDuration;
use strongroom_kubernetes::crd::JobState;

use super::started;
use crate::cluster_link::{ExtensionHealth, JobSpec};
use crate::testing::protection::Protected;
use crate::worker::limits::{SEALED_LIMIT, UNAVAILABLE_LIMIT};

#[tokio::test]
async fn the_name_of_a_custom_resource_is_known_before_the_cluster_is_asked() {
    let it = started().await;
    it.harness.clusters.lose_answers(true);
    it.look_until_created().await;
    // The create was carried out, its answer lost: at this moment the server may be killed.
    let row = it.only_job().await;
    assert_eq!(
        (row.step.as_str(), row.resource_name.is_some()),
        ("Create", true)
    );
    it.harness.clusters.set_unreachable(true);
    it.look().await;
    it.harness.clock.advance(UNAVAILABLE_LIMIT);
    it.look().await;
    assert_eq!(it.only_job().await.status, "Failed");
    assert_eq!(it.harness.clusters.resources().len(), 1);
    it.harness.clusters.set_unreachable(false);
    it.harness.clock.advance(Duration::from_secs(60));
    it.look_until_idle().await;
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn what_a_job_waits_in_the_queue_does_not_count_against_its_limits() {
    let it = started().await;
    let limits = it.harness.app.job_limits.clone();
    // Nobody looked at it for as long as a job may take.
    it.harness.clock.advance(limits.deadline * 2);
    it.harness
        .clusters
        .set_health(ExtensionHealth::Starting("image is pulled".into()));
    it.look().await;
    it.look().await;
    assert_eq!(it.only_job().await.status, "InProgress");
    it.harness.clusters.set_health(ExtensionHealth::Ready {
        version: "0.1.0".into(),
        warning: None,
    });
    it.harness.clock.advance(Duration::from_secs(30));
    it.look_until_created().await;
    let deadline = match it.harness.clusters.resources().remove(0).spec {
        JobSpec::Backup(spec) => spec.deadline.unwrap(),
        JobSpec::Restore(_) => panic!("no backup"),
    };
    assert!(deadline > it.harness.app.now() + SignedDuration::from_hours(5));
    it.extension_backs_up().await;
    assert_eq!(it.only_job().await.status, "CompletedWithWarnings");
}

/// Makes the container's folder something that can be neither read nor written; returns what mends it.
fn store_away(it: &Protected) -> impl FnOnce() + use<> {
    let folder = it.harness.app.blobs.path().join("acct01/backups/instances");
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::os::unix::fs::symlink(&folder, &folder).unwrap();
    move || {
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
    }
}

#[tokio::test]
async fn a_sealed_backup_outlasts_a_store_that_is_away_for_hours() {
    let it = started().await;
    it.look_until_created().await;
    let digest = it.seal().await;
    it.claim(JobState::Completed, Some(digest));
    let mend = store_away(&it);
    it.look().await;
    it.look().await;
    it.harness.clock.advance(UNAVAILABLE_LIMIT * 8);
    it.look().await;
    let row = it.only_job().await;
    assert_eq!(
        (row.status.as_str(), row.step.as_str()),
        ("InProgress", "Verify")
    );
    mend();
    it.harness.clock.advance(Duration::from_secs(60));
    it.look_until_idle().await;
    assert_eq!(it.only_job().await.status, "Completed");
    assert_eq!(it.recovery_points().await, 1);
}

#[tokio::test]
async fn a_sealed_backup_whose_store_is_away_for_too_long_becomes_a_recovery_point_all_the_same() {
    let it = started().await;
    it.look_until_created().await;
    let digest = it.seal().await;
    it.claim(JobState::Completed, Some(digest));
    let mend = store_away(&it);
    it.look().await;
    it.look().await;
    it.harness
        .clock
        .advance(SEALED_LIMIT + Duration::from_secs(60));
    it.look().await;
    let row = it.only_job().await;
    assert_eq!(row.status, "Failed");
    assert_eq!(row.error["code"], "UserErrorBackupStorageLocationNotReady");
    assert_eq!(it.recovery_points().await, 0);
    mend();
    it.harness.clock.advance(Duration::from_secs(60));
    it.look_until_idle().await;
    assert_eq!(it.recovery_points().await, 1);
    let row = it.only_job().await;
    assert_eq!(
        row.status, "Failed",
        "an end that was told is not taken back"
    );
    assert!(
        row.progress.to_string().contains("is kept"),
        "{}",
        row.progress
    );
}
