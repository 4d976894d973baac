//! Restores in clusters that refuse, change, delay or lose what is asked of them: each object has one
//! line that tells the truth, and the job goes on.

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::ConflictPolicy;
use strongroom_kubernetes::crd::{JobState, JobStatus, RestoreMode, RestoreSpec};
use strongroom_simulation::api_server::{Fault, Kind};
use uuid::Uuid;

use super::application::{self, assert_equal, objects};
use super::stage::{Stage, assert_completed, code, line, with_outcome};

/// A stage with a recovery point of the application and of `more`, which is lost.
async fn lost(more: &[Value]) -> (Stage, Uuid) {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    for object in more {
        let made = stage.api.create(object);
        if object["status"].is_object() {
            let mut with_status = made;
            with_status["status"] = object["status"].clone();
            stage.api.replace_status(&with_status);
        }
    }
    let mut spec = stage.backup_of(&["shop"]);
    spec.selection.snapshot_volumes = false;
    let status = stage.back_up(&spec).await;
    assert_ne!(status.state, JobState::Failed, "{status:#?}");
    stage.api.delete("namespaces", None, "shop");
    (stage, spec.recovery_point_id)
}

fn fault(method: &'static str, path: &str, status: u16, message: &str, times: u32) -> Fault {
    Fault {
        method: Some(method),
        path: path.into(),
        status,
        reason: match status {
            403 => "Forbidden",
            500 => "InternalError",
            _ => "",
        }
        .into(),
        message: message.into(),
        times,
    }
}

async fn restored(stage: &Stage, spec: &RestoreSpec) -> (JobStatus, Vec<ObjectOutcome>) {
    let status = stage.restore(spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    let mut names: Vec<String> = lines.iter().map(|line| line.object.to_string()).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "one object, one line: {lines:#?}");
    let counted: u64 = status.counts.values().sum();
    let outside = status
        .counts
        .get("NotSelected")
        .copied()
        .unwrap_or_default();
    assert_eq!(counted - outside, all as u64, "{status:#?}");
    (status, lines)
}

const WEBHOOK: &str =
    "Internal error occurred: failed calling webhook \"w.example.com\": connection refused";

#[tokio::test]
async fn an_object_whose_webhook_answers_only_at_the_end_is_tried_again_then() {
    let (stage, point) = lost(&[]).await;
    stage
        .api
        .inject(fault("POST", "/shop/widgets?", 500, WEBHOOK, 2));
    let spec = stage.restore_spec(point);
    let (status, lines) = restored(&stage, &spec).await;
    assert_completed(&status);
    let gear = line(&lines, "example.com/Widget shop/gear");
    assert_eq!(gear.outcome, Outcome::Created);
    let owned = stage
        .api
        .get("configmaps", Some("shop"), "of-gear")
        .unwrap();
    let live = stage
        .api
        .get("widgets.example.com", Some("shop"), "gear")
        .unwrap();
    assert_eq!(live["status"]["phase"], "Turning");
    let owner = &owned["metadata"]["ownerReferences"][0]["uid"];
    assert_eq!(*owner, live["metadata"]["uid"]);
}

#[tokio::test]
async fn a_webhook_that_never_answers_is_a_finding_of_its_objects_and_of_no_others() {
    let many: Vec<Value> = (0..20)
        .map(|number| {
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": format!("s{number:02}"), "namespace": "shop"}})
        })
        .collect();
    let (stage, point) = lost(&many).await;
    stage
        .api
        .inject(fault("POST", "/shop/secrets?", 500, WEBHOOK, u32::MAX));
    let spec = stage.restore_spec(point);
    let (status, lines) = restored(&stage, &spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let failed = with_outcome(&lines, Outcome::Failed);
    assert_eq!(failed.len(), 21, "{failed:?}");
    for name in &failed {
        assert_eq!(code(line(&lines, name)), "AdmissionWebhookUnavailable");
    }
    let deployment = line(&lines, "apps/Deployment shop/web");
    assert_eq!(deployment.outcome, Outcome::Created);
}

#[tokio::test]
async fn refusals_of_an_api_server_that_has_just_started_are_not_believed() {
    for (status, message) in [
        (
            403,
            "secrets is forbidden: User \"x\" cannot create resource \"secrets\"",
        ),
        (401, "Unauthorized"),
    ] {
        let (stage, point) = lost(&[]).await;
        stage
            .api
            .inject(fault("POST", "/shop/secrets?", status, message, 3));
        let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
        assert_completed(&status);
        assert!(with_outcome(&lines, Outcome::Failed).is_empty());
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_a_finding_of_its_objects() {
    let (stage, point) = lost(&[]).await;
    let refusal = "secrets is forbidden: User \"x\" cannot create resource \"secrets\"";
    stage
        .api
        .inject(fault("POST", "/shop/secrets?", 403, refusal, u32::MAX));
    let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(code(secret), "UserErrorClusterPermissionMissing");
}

#[tokio::test]
async fn an_object_whose_create_was_carried_out_unheard_is_ours() {
    let (stage, point) = lost(&[]).await;
    let lost = fault("POST", "/shop/secrets?", 504, "gateway timeout", 1);
    stage.api.lose_answer(lost);
    let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
    assert_completed(&status);
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(secret.outcome, Outcome::Created, "{secret:?}");
    assert!(secret.reason.contains("lost"), "{secret:?}");
}

#[tokio::test]
async fn what_a_mutating_webhook_changes_is_a_finding() {
    let (stage, point) = lost(&[]).await;
    let sidecar = json!({"data": {"greeting": "from a webhook"}});
    stage.api.mutate("/shop/configmaps?", sidecar);
    let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let settings = line(&lines, "ConfigMap shop/settings");
    assert_eq!(
        (settings.outcome, code(settings)),
        (Outcome::Created, "ObjectChangedByAdmission")
    );
    assert!(settings.reason.contains("/data/greeting"), "{settings:?}");
}

#[tokio::test]
async fn an_object_that_still_differs_after_a_patch_is_said_to() {
    let (stage, point) = lost(&[]).await;
    application::deploy(&stage.api, "shop");
    stage.api.delete("configmaps", Some("shop"), "settings");
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"}, "data": {"greeting": "changed"}}));
    let kept = json!({"data": {"greeting": "kept"}});
    stage.api.mutate("/configmaps/settings?", kept);
    let mut spec = stage.restore_spec(point);
    spec.criteria.conflict_policy = ConflictPolicy::Patch;
    let (status, lines) = restored(&stage, &spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let settings = line(&lines, "ConfigMap shop/settings");
    assert_eq!(
        (settings.outcome, code(settings)),
        (Outcome::Patched, "ObjectExistsAndDiffers")
    );
}

fn job(name: &str, spec: &Value, status: &Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "shop"},
        "spec": spec, "status": status})
}

#[tokio::test]
async fn jobs_that_would_vanish_are_left_and_those_that_run_go_on_or_are_said_to_begin_anew() {
    let ended = json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True",
        "lastTransitionTime": "2020-01-01T00:00:00Z"}]});
    let (stage, point) = lost(&[
        job("gone", &json!({"ttlSecondsAfterFinished": 60}), &ended),
        job("kept", &json!({}), &ended),
        job("running", &json!({}), &json!({"active": 1, "succeeded": 3})),
        job("refused", &json!({}), &json!({"active": 1, "failed": 2})),
    ])
    .await;
    let refusal = fault("PATCH", "/jobs/refused/status", 422, "no status here", 1);
    stage.api.inject(refusal);
    let (_, lines) = restored(&stage, &stage.restore_spec(point)).await;
    let gone = line(&lines, "batch/Job shop/gone");
    assert_eq!((gone.outcome, code(gone)), (Outcome::Skipped, ""));
    assert!(gone.reason.contains("ttlSecondsAfterFinished"), "{gone:?}");
    assert!(stage.api.get("jobs.batch", Some("shop"), "gone").is_none());
    let kept = line(&lines, "batch/Job shop/kept");
    assert_eq!((kept.outcome, code(kept)), (Outcome::Created, ""));
    let running = line(&lines, "batch/Job shop/running");
    assert_eq!((running.outcome, code(running)), (Outcome::Created, ""));
    assert!(running.reason.contains("3 pods succeeded"), "{running:?}");
    let live = |name: &str| stage.api.get("jobs.batch", Some("shop"), name).unwrap();
    assert_eq!(live("running")["status"], json!({"succeeded": 3}));
    let refused = line(&lines, "batch/Job shop/refused");
    assert_eq!(
        (refused.outcome, code(refused)),
        (Outcome::Created, "UnfinishedRunStartsOver")
    );
    for name in ["running", "refused"] {
        assert_eq!(live(name)["spec"]["suspend"], Value::Null, "{name}");
    }
}

#[tokio::test]
async fn a_token_without_its_account_is_left() {
    let token = |name: &str, account: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": name, "namespace": "shop",
                "annotations": {"kubernetes.io/service-account.name": account}}})
    };
    let (stage, point) = lost(&[token("orphan", "nobody"), token("kept", "web")]).await;
    let (_, lines) = restored(&stage, &stage.restore_spec(point)).await;
    let orphan = line(&lines, "Secret shop/orphan");
    assert_eq!(orphan.outcome, Outcome::Skipped, "{orphan:?}");
    assert_eq!(line(&lines, "Secret shop/kept").outcome, Outcome::Created);
}

#[tokio::test]
async fn a_class_that_is_nowhere_is_foreseen_and_told() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"}, "spec": {"storageClassName": "fast"}});
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let (stage, point) = lost(std::slice::from_ref(&claim)).await;
        let mut spec = stage.restore_spec(point);
        spec.mode = mode;
        spec.criteria.restore_volumes = false;
        let (status, lines) = restored(&stage, &spec).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        let claim = line(&lines, "PersistentVolumeClaim shop/data");
        assert_eq!(
            (claim.outcome, code(claim)),
            (Outcome::Created, "UserErrorStorageClassMissingForPVC")
        );
    }
}

#[tokio::test]
async fn a_validation_foresees_what_admission_and_quotas_will_refuse() {
    let (stage, point) = lost(&[]).await;
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    let refusal = "secrets \"password\" is forbidden: no secrets here";
    stage
        .api
        .inject(fault("POST", "/secrets?dryRun=All", 403, refusal, u32::MAX));
    stage.api.serve_kind(Kind {
        group: String::new(),
        version: "v1".into(),
        kind: "ResourceQuota".into(),
        plural: "resourcequotas".into(),
        namespaced: true,
        status: true,
    });
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": "shop"}}));
    let mut quota = stage
        .api
        .get("resourcequotas", Some("shop"), "few")
        .unwrap();
    quota["status"] = json!({"hard": {"count/configmaps": "1"}, "used": {"count/configmaps": "0"}});
    stage.api.replace_status(&quota);
    let mut spec = stage.restore_spec(point);
    spec.mode = RestoreMode::Validate;
    let (status, lines) = restored(&stage, &spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(
        (secret.outcome, code(secret)),
        (Outcome::Failed, "AdmissionRefused")
    );
    let maps = line(&lines, "ConfigMap shop/*");
    assert_eq!(code(maps), "QuotaExceeded");
    assert!(stage.api.get("secrets", Some("shop"), "password").is_none());
}

#[tokio::test]
async fn criteria_that_match_nothing_are_findings() {
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let (stage, point) = lost(&[]).await;
        let mut spec = stage.restore_spec(point);
        spec.mode = mode;
        spec.criteria.selection.included_namespaces = Some(vec!["shop".into(), "nosuch".into()]);
        spec.criteria.selection.included_resource_types =
            vec!["ConfigMap".into(), "Nonsense".into()];
        let (status, lines) = restored(&stage, &spec).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        let namespace = line(&lines, "Namespace nosuch");
        assert_eq!(code(namespace), "UserErrorNamespaceNotFound");
        let filter = lines.iter().find(|line| line.object.kind == "Nonsense");
        assert_eq!(code(filter.unwrap()), "ResourceTypeFilterMatchesNothing");
    }
}

#[tokio::test]
async fn mappings_of_what_is_not_there_and_onto_what_is_restored_are_refused() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    application::deploy(&stage.api, "copy");
    let backup = stage.backup_of(&["shop", "copy"]);
    assert_completed(&stage.back_up(&backup).await);
    for (source, target) in [("nosuch", "x"), ("shop", "copy")] {
        let mut spec = stage.restore_spec(backup.recovery_point_id);
        let mappings = &mut spec.criteria.namespace_mappings;
        mappings.insert(source.into(), target.into());
        let status = stage.restore(&spec).await;
        assert_eq!(status.state, JobState::Failed, "{source} to {target}");
        assert_eq!(
            status.error.unwrap().code,
            "UserErrorInvalidNamespaceMapping"
        );
    }
    let mut spec = stage.restore_spec(backup.recovery_point_id);
    let mappings = &mut spec.criteria.namespace_mappings;
    mappings.insert("shop".into(), "copy".into());
    spec.criteria.selection.excluded_namespaces = vec!["copy".into()];
    let status = stage.restore(&spec).await;
    assert_ne!(status.state, JobState::Failed, "{status:#?}");
}

#[tokio::test]
async fn of_two_restores_into_one_namespace_the_second_finds_what_the_first_made() {
    let (stage, point) = lost(&[]).await;
    let (first, second) = (stage.restore_spec(point), stage.restore_spec(point));
    let process = stage.start();
    let names = [
        stage.submit_restore(&first).await,
        stage.submit_restore(&second).await,
    ];
    let ended = [stage.ended(&names[0]).await, stage.ended(&names[1]).await];
    drop(process);
    for status in &ended {
        assert_completed(status);
    }
    let lines = stage.report(second.job_id, &ended[1]).await;
    assert!(
        with_outcome(&lines, Outcome::Created).is_empty(),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn an_object_that_exists_in_deletion_and_one_whose_namespace_is_are_findings() {
    let (stage, point) = lost(&[]).await;
    stage.api.create(
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop",
        "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
    );
    let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(code(secret), "NamespaceTerminating");
}

#[tokio::test]
async fn a_restore_that_is_killed_while_it_settles_is_settled_by_the_next_process() {
    let (stage, point) = lost(&[]).await;
    let before = {
        let spec = stage.restore_spec(point);
        assert_completed(&stage.restore(&spec).await);
        let before = objects(&stage.api, "shop");
        stage.api.delete("namespaces", None, "shop");
        before
    };
    stage
        .api
        .inject(fault("POST", "/shop/secrets?", 500, WEBHOOK, 2));
    let spec = stage.restore_spec(point);
    let name = stage.submit_restore(&spec).await;
    stage.kill_at("relink:after").await;
    let process = stage.start();
    let status = stage.ended(&name).await;
    drop(process);
    assert_completed(&status);
    assert_equal(&before, &objects(&stage.api, "shop"));
    let lines = stage.report(spec.job_id, &status).await;
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(secret.outcome, Outcome::Created, "{secret:?}");
}

#[tokio::test]
async fn an_aggregated_api_that_is_down_is_a_finding_and_not_the_end_of_the_restore() {
    let (stage, point) = lost(&[]).await;
    let down = "the server is currently unable to handle the request";
    stage
        .api
        .inject(fault("POST", "/shop/widgets?", 503, down, u32::MAX));
    let (status, lines) = restored(&stage, &stage.restore_spec(point)).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let gear = line(&lines, "example.com/Widget shop/gear");
    assert_eq!(
        (gear.outcome, code(gear)),
        (Outcome::Failed, "ApiGroupUnavailable")
    );
    // What it owns is told to be without it.
    let owned = line(&lines, "ConfigMap shop/of-gear");
    assert_eq!(
        (owned.outcome, code(owned)),
        (Outcome::Created, "OwnerNotRestored")
    );
}
