//! The extension against a real API server and a folder as its store: what an in-memory one cannot
//! prove, because it neither validates, defaults nor runs controllers.
//!
//! `STRONGROOM_TEST_KUBECONFIG` names the kubeconfig of a cluster that may be written to, as printed
//! by `cargo xtask cluster up --tier control-plane`. Without it these tests say that they are left
//! out; with it, a cluster that cannot be used is a failure. `STRONGROOM_TEST_XTASK`, the path of
//! `xtask`, and `STRONGROOM_TEST_CLUSTER`, the cluster's name there, open a way from the API server to
//! these tests; those that it must call are left out without them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions that tests share fail like the tests themselves"
)]

#[path = "real_api_server/admission.rs"]
mod admission;
#[path = "real_api_server/aggregated.rs"]
mod aggregated;
#[path = "real_api_server/application.rs"]
mod application;
#[path = "real_api_server/bad_input.rs"]
mod bad_input;
#[path = "real_api_server/callee.rs"]
mod callee;
#[path = "real_api_server/conversion.rs"]
mod conversion;
#[path = "real_api_server/cut.rs"]
mod cut;
#[path = "real_api_server/faults.rs"]
mod faults;
#[path = "real_api_server/gate.rs"]
mod gate;
#[path = "real_api_server/hooks.rs"]
mod hooks;
#[path = "real_api_server/lists.rs"]
mod lists;
#[path = "real_api_server/needed.rs"]
mod needed;
#[path = "real_api_server/restore_hooks.rs"]
mod restore_hooks;
#[path = "real_api_server/rights.rs"]
mod rights;
#[path = "real_api_server/runs.rs"]
mod runs;
#[path = "real_api_server/snapshots.rs"]
mod snapshots;
#[path = "real_api_server/stage.rs"]
mod stage;
#[path = "real_api_server/targets.rs"]
mod targets;
#[path = "real_api_server/trouble.rs"]
mod trouble;
#[path = "real_api_server/volumes.rs"]
mod volumes;
#[path = "real_api_server/webhooks.rs"]
mod webhooks;

use std::sync::Arc;

use serde_json::json;
use strongroom_core::report::Outcome;
use strongroom_core::restore::ConflictPolicy;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{JobState, RestoreMode};
use tokio::sync::Notify;

use self::application::{Application, assert_equal};
use self::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_was_lost_comes_back_equal_and_a_second_restore_writes_nothing() {
    let Some(stage) = Stage::new("equal").await else {
        return;
    };
    let application = Application::deploy(&stage, "strongroom-equal").await;
    let before = application.objects(&stage).await;
    assert!(before.len() >= 12, "{} objects", before.len());
    let backup = stage.backup_of(&[&application.namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    assert!(
        status
            .cut
            .as_deref()
            .is_some_and(|cut| cut.starts_with("cut at ")),
        "{status:?}"
    );

    application.lose(&stage).await;
    let mut validate = stage.restore_of(&backup);
    validate.mode = RestoreMode::Validate;
    let planned = stage.run_restore(&validate, CrashPoints::none()).await;
    assert_eq!(planned.state, JobState::Completed, "{planned:#?}");
    let mut restore = stage.restore_of(&backup);
    restore.plan_digest.clone_from(&planned.plan_digest);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
    assert_equal(&before, &application.objects(&stage).await);

    let again = stage.restore_of(&backup);
    let status = stage.run_restore(&again, CrashPoints::none()).await;
    let lines = stage.report(again.job_id, &status).await;
    let changed: Vec<_> = lines
        .iter()
        .filter(|line| !matches!(line.outcome, Outcome::Unchanged | Outcome::Skipped))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    application.lose(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_in_mid_apply_ends_as_if_it_had_not_been() {
    let Some(stage) = Stage::new("killed").await else {
        return;
    };
    let application = Application::deploy(&stage, "strongroom-killed").await;
    let before = application.objects(&stage).await;
    let backup = stage.backup_of(&[&application.namespace]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    // Kills at every other place are shown in memory; here it is about what only a real API server
    // knows: which fields it set, whose they are, and when an object was made.
    {
        let place = "apply:during";
        application.lose(&stage).await;
        let restore = stage.restore_of(&backup);
        let status = stage.run_restore(&restore, killed_at(place)).await;
        assert_eq!(
            (status.state, status.attempt),
            (JobState::Completed, 2),
            "{status:#?}"
        );
        let lines = stage.report(restore.job_id, &status).await;
        let odd: Vec<_> = lines
            .iter()
            .filter(|line| line.object.name != "default")
            .filter(|line| line.object.namespace.as_ref() == Some(&application.namespace))
            .filter(|line| !matches!(line.outcome, Outcome::Created | Outcome::Skipped))
            .collect();
        assert!(odd.is_empty(), "{place}: {odd:#?}");
        assert_equal(&before, &application.objects(&stage).await);
    }
    application.lose(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_another_name_and_a_patch_of_what_differs() {
    let Some(stage) = Stage::new("copied").await else {
        return;
    };
    let application = Application::deploy(&stage, "strongroom-copied").await;
    let backup = stage.backup_of(&[&application.namespace]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    let copy = Application {
        namespace: "strongroom-copy".to_owned(),
    };
    let mut restore = stage.restore_of(&backup);
    let mappings = &mut restore.criteria.namespace_mappings;
    mappings.insert(application.namespace.clone(), copy.namespace.clone());
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line.outcome == Outcome::Failed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let names = |objects: &[serde_json::Value]| -> Vec<String> {
        objects
            .iter()
            .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
            .collect()
    };
    assert_eq!(
        names(&application.objects(&stage).await),
        names(&copy.objects(&stage).await)
    );

    let maps = stage::core("ConfigMap", "configmaps", true);
    let change = json!({"data": {"greeting": "changed"}});
    let place = Some(application.namespace.as_str());
    objects::patch_merge(&stage.cluster, &maps, place, "settings", &change)
        .await
        .unwrap();
    let mut patch = stage.restore_of(&backup);
    patch.criteria.conflict_policy = ConflictPolicy::Patch;
    let status = stage.run_restore(&patch, CrashPoints::none()).await;
    let lines = stage.report(patch.job_id, &status).await;
    let patched: Vec<String> = lines
        .iter()
        .filter(|line| !matches!(line.outcome, Outcome::Unchanged | Outcome::Skipped))
        .map(|line| format!("{} {} {}", line.outcome, line.object, line.reason))
        .collect();
    assert_eq!(patched.len(), 1, "{patched:#?}");
    assert!(
        patched[0].starts_with("Patched ConfigMap strongroom-copied/settings"),
        "{patched:?}"
    );
    let live = objects::get(&stage.cluster, &maps, place, "settings")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(live["data"]["greeting"], "hello");
    application.lose(&stage).await;
    copy.lose(&stage).await;
}

/// A process that is killed there in its first attempt.
fn killed_at(place: &str) -> CrashPoints {
    CrashPoints::hang_at(place.parse().unwrap(), Arc::new(Notify::new()))
}
