//! Backups.

use strongroom_core::report::Outcome;
use strongroom_kubernetes::EXTENSION_NAMESPACE;
use strongroom_kubernetes::crd::JobState;
use strongroom_simulation::api_server::{Fault, Kind};
use strongroom_simulation::object_store::{Operation, Verdict};

use crate::crash::CrashPoints;

use super::application;
use super::stage::{Stage, assert_completed, code, line, patiently, status, with_outcome};

fn fault(path: &str, status: u16, reason: &str, times: u32) -> Fault {
    Fault {
        method: Some("GET"),
        path: path.to_owned(),
        status,
        reason: reason.to_owned(),
        message: "injected".to_owned(),
        times,
    }
}

#[tokio::test]
async fn a_backup_makes_one_recovery_point_and_accounts_for_every_object() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_completed(&status);
    assert_eq!(status.attempt, 1);
    assert!(
        status
            .cut
            .as_deref()
            .is_some_and(|cut| cut.starts_with("cut at ")),
        "{status:?}"
    );
    let repository = stage.repository().await;
    assert_eq!(repository.points().await.unwrap(), [spec.recovery_point_id]);
    let point = repository.point(spec.recovery_point_id).await.unwrap();
    assert_eq!(status.manifest_digest.as_deref(), Some(point.digest()));
    let lines = stage.report(spec.job_id, &status).await;
    let taken = with_outcome(&lines, Outcome::BackedUp);
    for object in [
        "Namespace shop",
        "ConfigMap shop/settings",
        "Secret shop/password",
        "apps/Deployment shop/web",
        "example.com/Widget shop/gear",
        "apiextensions.k8s.io/CustomResourceDefinition widgets.example.com",
    ] {
        assert!(
            taken.contains(&object.to_owned()),
            "{object} is missing in {taken:#?}"
        );
    }
    assert_eq!(
        status.counts.get("BackedUp").copied(),
        Some(taken.len() as u64)
    );
    assert!(
        !line(&lines, "Event *").reason.is_empty(),
        "types never taken have their reason"
    );
}

#[tokio::test]
async fn a_second_backup_of_unchanged_objects_sends_next_to_nothing() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let first = stage.backup_of(&["shop"]);
    let full = stage.back_up(&first).await;
    let mut second = stage.backup_of(&["shop"]);
    second.parent_recovery_point_id = Some(first.recovery_point_id);
    let next = stage.back_up(&second).await;
    assert_completed(&next);
    assert_eq!(next.bytes, full.bytes);
    assert!(
        next.new_bytes < full.new_bytes,
        "{} of {}",
        next.new_bytes,
        full.new_bytes
    );
}

#[tokio::test]
async fn a_chosen_namespace_that_does_not_exist_is_a_warning() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop", "nowhere"]);
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        code(line(&lines, "Namespace nowhere")),
        "UserErrorNamespaceNotFound"
    );
    assert_eq!(status.findings, 1);
}

#[tokio::test]
async fn a_custom_type_that_does_not_answer_is_a_finding_and_the_rest_goes_on() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage
        .api
        .inject(fault("/widgets?", 503, "ServiceUnavailable", u32::MAX));
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        code(line(&lines, "example.com/Widget *")),
        "ApiGroupUnavailable"
    );
    assert_eq!(
        line(&lines, "ConfigMap shop/settings").outcome,
        Outcome::BackedUp
    );
}

#[tokio::test]
async fn a_type_that_may_not_be_listed_is_a_finding_that_names_the_missing_right() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let mut refusal = fault("/secrets?", 403, "Forbidden", u32::MAX);
    refusal.message =
        "secrets is forbidden: User \"x\" cannot list resource \"secrets\" in API group \"\""
            .into();
    stage.api.inject(refusal);
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        code(line(&lines, "Secret *")),
        "UserErrorClusterPermissionMissing"
    );
}

#[tokio::test]
async fn a_list_whose_state_expired_goes_on_at_the_newest_and_the_point_says_smeared() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    // The cluster goes on between the look at the newest state and the list, so the list is asked for at
    // the cut, whatever else was written meanwhile; and there it has expired.
    stage.api.inject(fault(
        "/shop/configmaps?limit=500&resourceVersion",
        410,
        "Expired",
        u32::MAX,
    ));
    stage
        .api
        .inject(fault("/shop/configmaps?", 410, "Expired", 1));
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    assert!(
        status
            .cut
            .as_deref()
            .is_some_and(|cut| cut.starts_with("smeared from ")),
        "{status:?}"
    );
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(code(line(&lines, "ConfigMap *")), "RecoveryPointSmeared");
    assert_eq!(status.findings, 1, "{lines:#?}");
    assert_eq!(
        line(&lines, "ConfigMap shop/settings").outcome,
        Outcome::BackedUp
    );
}

#[tokio::test]
async fn a_custom_api_that_cannot_show_an_old_state_is_read_at_the_newest() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage.api.inject(fault(
        "/widgets?limit=500&resourceVersion",
        400,
        "BadRequest",
        u32::MAX,
    ));
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_completed(&status);
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        line(&lines, "example.com/Widget shop/gear").outcome,
        Outcome::BackedUp
    );
}

#[tokio::test]
async fn secrets_that_do_not_open_fail_the_job_with_the_way_out() {
    let stage = Stage::new().await;
    let mut spec = stage.backup_spec();
    spec.sealed = stage.backup_spec().sealed;
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::Failed);
    let error = status.error.unwrap();
    assert_eq!(error.code, "JobSecretsUnreadable");
    assert!(!error.recommended_action.is_empty());
}

#[tokio::test]
async fn a_store_that_refuses_or_is_full_fails_the_job_at_once_with_its_code() {
    for (verdict, code) in [
        (
            Verdict::Denied,
            "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation",
        ),
        (Verdict::Full, "BackupStorageLocationFull"),
    ] {
        let stage = Stage::new().await;
        application::deploy(&stage.api, "shop");
        stage.store.decide(move |_, operation, _| {
            if operation == Operation::Put {
                verdict
            } else {
                Verdict::Pass
            }
        });
        let status = stage.back_up(&stage.backup_spec()).await;
        assert_eq!(status.state, JobState::Failed, "{status:#?}");
        assert_eq!(status.error.unwrap().code, code);
        assert_eq!(status.attempt, 1);
    }
}

#[tokio::test]
async fn a_store_that_is_gone_for_good_fails_the_job_after_the_grace() {
    let stage = Stage::new().await;
    stage.store.decide(|_, _, _| Verdict::Unreachable);
    let status = stage.back_up(&stage.backup_spec()).await;
    assert_eq!(status.state, JobState::Failed, "{status:#?}");
    assert_eq!(
        status.error.unwrap().code,
        "UserErrorBackupStorageLocationNotReady"
    );
    assert!(status.attempt > 1);
}

#[tokio::test]
async fn a_store_that_comes_back_within_the_grace_completes_the_job() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    // Each store call is tried a few times by itself; this outlasts one attempt's.
    stage.store.decide(|call, _, _| {
        if call <= 6 {
            Verdict::Unreachable
        } else {
            Verdict::Pass
        }
    });
    let mut environment = stage.environment(crate::crash::CrashPoints::none());
    std::sync::Arc::get_mut(&mut environment)
        .unwrap()
        .unreachable_grace = std::time::Duration::from_secs(30);
    let mut feeds = tokio::task::JoinSet::new();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let jobs = crate::run::controllers(&environment, &shutdown, &mut feeds);
    let name = stage.submit_backup(&spec).await;
    let status = stage.ended(&name).await;
    drop(jobs);
    assert_completed(&status);
    assert!(status.attempt > 1);
}

#[tokio::test]
async fn a_job_whose_status_is_refused_for_a_moment_is_not_left_alone() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage.api.inject(Fault {
        method: Some("PUT"),
        message: "User \"x\" cannot update resource \"backups/status\"".to_owned(),
        ..fault("/status", 403, "Forbidden", 1)
    });
    assert_completed(&stage.back_up(&stage.backup_of(&["shop"])).await);
}

#[tokio::test]
async fn a_job_whose_time_is_over_fails_and_says_so() {
    let stage = Stage::new().await;
    let mut spec = stage.backup_spec();
    spec.deadline = Some("2020-01-01T00:00:00Z".parse().unwrap());
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::Failed);
    assert_eq!(status.error.unwrap().code, "JobDeadlineExceeded");
}

#[tokio::test]
async fn an_invalid_selection_fails_the_job_with_the_selectors_code() {
    let stage = Stage::new().await;
    let mut spec = stage.backup_spec();
    spec.selection.label_selectors = vec!["=".to_owned()];
    let status = stage.back_up(&spec).await;
    assert_eq!(status.error.unwrap().code, "UserErrorInvalidLabelSelector");
}

#[tokio::test]
async fn deleting_the_custom_resource_cancels_the_job_and_the_next_one_runs() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let doomed = stage.backup_of(&["shop"]);
    let name = stage.submit_backup(&doomed).await;
    let reached = std::sync::Arc::new(tokio::sync::Notify::new());
    let place = "collect:during".parse().unwrap();
    let points = crate::crash::CrashPoints::hang_at(place, std::sync::Arc::clone(&reached));
    let process = stage.start_with(points);
    patiently("collect", reached.notified()).await;
    let kind = "backups.clusterbackup.dataprotection.microsoft.com";
    stage.api.delete(kind, Some(EXTENSION_NAMESPACE), &name);
    let next = stage.backup_of(&["shop"]);
    drop(process);
    assert_completed(&stage.back_up(&next).await);
    assert!(status(&stage.api, &name).is_none());
    let repository = stage.repository().await;
    assert_eq!(repository.points().await.unwrap(), [next.recovery_point_id]);
}

#[tokio::test]
async fn a_cancelled_job_frees_its_controller_at_once() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let doomed = stage.submit_backup(&stage.backup_of(&["shop"])).await;
    // The list of config maps never ends, so only a cancellation can end the job.
    stage.api.inject(fault("/shop/configmaps?", 0, "", 1));
    let process = stage.start();
    patiently("the list", stage.api.hung()).await;
    let next = stage.submit_backup(&stage.backup_of(&["shop"])).await;
    let kind = "backups.clusterbackup.dataprotection.microsoft.com";
    stage.api.delete(kind, Some(EXTENSION_NAMESPACE), &doomed);
    assert_completed(&stage.ended(&next).await);
    drop(process);
}

#[tokio::test]
async fn jobs_queue_and_run_one_after_the_other_in_the_order_of_their_creation() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(stage.submit_backup(&stage.backup_of(&["shop"])).await);
    }
    let process = stage.start();
    for name in &names {
        assert_completed(&stage.ended(name).await);
    }
    process.terminate().await;
    assert_eq!(stage.repository().await.points().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_leaves_the_job_to_the_next() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    let name = stage.submit_backup(&spec).await;
    stage.api.inject(fault("/shop/configmaps?", 0, "", 1));
    let process = stage.start();
    patiently("the list", stage.api.hung()).await;
    patiently("the end of the process", process.terminate()).await;
    assert_eq!(status(&stage.api, &name).unwrap().state, JobState::Running);
    let process = stage.start();
    let ended = stage.ended(&name).await;
    assert_completed(&ended);
    assert_eq!(ended.attempt, 2);
    drop(process);
}

#[tokio::test]
async fn a_type_that_only_a_newer_version_serves_is_taken_as_the_cluster_prefers_it() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage.api.serve_kind(Kind::namespaced(
        "example.com",
        "v2beta1",
        "Gadget",
        "gadgets",
    ));
    stage.api.create(
        &serde_json::json!({"apiVersion": "example.com/v2beta1", "kind": "Gadget",
        "metadata": {"name": "g", "namespace": "shop"}}),
    );
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    assert_completed(&status);
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        line(&lines, "example.com/Gadget shop/g").object.version,
        "v2beta1"
    );
}

#[tokio::test]
async fn a_store_that_is_slow_costs_time_and_nothing_else() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let before = application::objects(&stage.api, "shop");
    // Longer than a store or a cluster that does not answer is waited for.
    let slow = stage.environment(CrashPoints::none()).unreachable_grace * 2;
    stage.store.decide(move |_, _, _| Verdict::Delay(slow));
    let backup = stage.backup_of(&["shop"]);
    let status = stage.back_up(&backup).await;
    assert_completed(&status);
    assert_eq!(status.attempt, 1, "{status:#?}");
    stage.api.delete("namespaces", None, "shop");
    let restore = stage.restore_spec(backup.recovery_point_id);
    let status = stage.restore(&restore).await;
    assert_completed(&status);
    assert_eq!(status.attempt, 1, "{status:#?}");
    stage.store.heal();
    application::assert_equal(&before, &application::objects(&stage.api, "shop"));
    let lines = stage.report(restore.job_id, &status).await;
    assert!(with_outcome(&lines, Outcome::Failed).is_empty());
}
