//! A cancelled job through the public contract, with an extension that does what the real one does.

use serde_json::{Value, json};
use strongroom_kubernetes::crd::JobState;

use crate::app::jobs::Step;
use crate::testing::Answer;
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::worker::limits::UNAVAILABLE_LIMIT;

async fn at_work() -> Protected {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    it.harness.clusters.begin_work();
    it.look().await;
    it
}

async fn cancel(it: &Protected) -> Answer {
    let job = it.open_job().await.id;
    let path = format!("{}/backupJobs/{job}/cancel", it.vault);
    it.harness.call("POST", &path, None).await
}

async fn shown(it: &Protected) -> Value {
    let path = format!("{}/backupJobs", it.vault);
    it.harness.get(&path).await.json()["value"][0]["properties"].clone()
}

#[tokio::test]
async fn a_backup_that_is_cancelled_leaves_nothing_in_cluster_and_store() {
    let it = at_work().await;
    assert_eq!(shown(&it).await["supportedActions"], json!(["Cancel"]));
    let answer = cancel(&it).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let result = it.follow(answer.header("location")).await.json();
    assert_eq!(result["jobId"], it.only_job().await.id.to_string());
    let properties = shown(&it).await;
    assert_eq!(properties["status"], "Cancelling");
    assert_eq!(properties["supportedActions"], json!([]));
    assert_eq!(
        cancel(&it).await.status,
        202,
        "asking twice is as asking once"
    );
    it.look_until_idle().await;
    let properties = shown(&it).await;
    assert_eq!(properties["status"], "Cancelled");
    assert_eq!(properties["errorDetails"][0]["code"], "OperationCancelled");
    assert!(it.harness.clusters.resources().is_empty());
    assert_eq!(it.recovery_points().await, 0);
    // The instance is free for the next one.
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
}

#[tokio::test]
async fn a_recovery_point_that_was_sealed_wins() {
    for told in [false, true] {
        let it = at_work().await;
        let digest = it.seal().await;
        if told {
            it.claim(JobState::CompletedWithWarnings, Some(digest));
        }
        assert_eq!(cancel(&it).await.status, 202);
        it.look_until_idle().await;
        let status = shown(&it).await["status"].clone();
        let wanted = if told {
            "CompletedWithWarnings"
        } else {
            "Completed"
        };
        assert_eq!((status, it.recovery_points().await), (json!(wanted), 1));
    }
}

#[tokio::test]
async fn a_queued_job_ends_at_once_and_a_restore_is_cancelled_too() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    it.post("backup", adhoc()).await;
    assert_eq!(Step::of(&it.open_job().await), Step::Admit);
    cancel(&it).await;
    it.look().await;
    assert_eq!(shown(&it).await["status"], "Cancelled");
    assert_eq!(it.harness.clusters.creates(), 1, "that of the first backup");
    it.post("restore", restore_of(&point, &it.cluster)).await;
    it.look_until_created().await;
    it.harness.clusters.begin_work();
    it.look().await;
    assert_eq!(cancel(&it).await.status, 202);
    it.look_until_idle().await;
    assert_eq!(shown(&it).await["status"], "Cancelled");
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn a_validation_that_is_cancelled_ends_its_operation_so() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    let body = json!({"restoreRequestObject": restore_of(&point, &it.cluster)});
    let validation = it.post("validateRestore", body).await;
    assert_eq!(validation.status, 202, "{}", validation.text);
    it.look_until_created().await;
    assert_eq!(cancel(&it).await.status, 202);
    it.look_until_idle().await;
    let ended = it.ended(validation.header("azure-asyncoperation")).await;
    assert_eq!(ended["status"], "Canceled");
}

#[tokio::test]
async fn a_cluster_that_is_away_keeps_a_job_from_ending_only_for_a_while() {
    let it = at_work().await;
    it.harness.clusters.set_unreachable(true);
    assert_eq!(cancel(&it).await.status, 202);
    it.look().await;
    assert_eq!(shown(&it).await["status"], "Cancelling");
    it.harness.clock.advance(UNAVAILABLE_LIMIT);
    it.look_until(async |it| shown(it).await["status"] == "Cancelled")
        .await;
    it.harness.clusters.set_unreachable(false);
    it.harness.clock.advance(std::time::Duration::from_secs(60));
    it.look_until_idle().await;
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn what_has_ended_or_is_sealed_cannot_be_cancelled() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let job = it.only_job().await.id;
    let path = format!("{}/backupJobs/{job}/cancel", it.vault);
    let refused = it.harness.call("POST", &path, None).await;
    assert_eq!(
        refused.refusal(),
        (409, "UserErrorJobCannotBeCancelled".to_owned())
    );
    assert!(
        refused.text.contains("CompletedWithWarnings"),
        "{}",
        refused.text
    );
    let other = path.replace("/backupVaults/vault/", "/backupVaults/other/");
    assert_eq!(it.harness.call("POST", &other, None).await.status, 404);
    assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
}
