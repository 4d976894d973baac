//! Objects of an aggregated API: one that is restored itself, one that is down when the restore starts,
//! one that never comes.

use serde_json::json;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_kubernetes::crd::{JobState, RestoreMode};
use strongroom_simulation::api_server::Kind;
use uuid::Uuid;

use super::stage::{Stage, assert_completed, code, line};

const GROUP: &str = "wardle.example.com";
const API: &str = "v1.wardle.example.com";
const APIS: &str = "apiservices.apiregistration.k8s.io";
const FLUNDER: &str = "wardle.example.com/Flunder shop/flat";
const NEVER: u32 = u32::MAX;

/// A stage with a recovery point of an aggregated API with one object, and what it owns; the namespace
/// is lost.
async fn lost() -> (Stage, Uuid) {
    let stage = Stage::new().await;
    let api = &stage.api;
    let group = "apiregistration.k8s.io";
    api.serve_kind(Kind::cluster_scoped(
        group,
        "v1",
        "APIService",
        "apiservices",
    ));
    api.serve_kind(Kind::namespaced(GROUP, "v1", "Flunder", "flunders"));
    api.aggregate(GROUP, "v1", 0);
    api.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    api.create(
        &json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": API}, "spec": {"group": GROUP, "version": "v1",
            "service": {"namespace": "shop", "name": "wardle"}}}),
    );
    let flunder = api.create(
        &json!({"apiVersion": "wardle.example.com/v1", "kind": "Flunder",
        "metadata": {"name": "flat", "namespace": "shop"}, "spec": {"fins": 3}}),
    );
    api.create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "of-flat", "namespace": "shop", "ownerReferences": [{
            "apiVersion": "wardle.example.com/v1", "kind": "Flunder", "name": "flat",
            "uid": flunder["metadata"]["uid"]}]}}));
    let backup = stage.backup_of(&["shop"]);
    assert_completed(&stage.back_up(&backup).await);
    api.delete("namespaces", None, "shop");
    (stage, backup.recovery_point_id)
}

/// The state of a job over the recovery point, and its lines.
async fn done(stage: &Stage, point: Uuid, mode: RestoreMode) -> (JobState, Vec<ObjectOutcome>) {
    let mut spec = stage.restore_spec(point);
    spec.mode = mode;
    let status = stage.restore(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    (status.state, lines)
}

/// That the object is there as it was, and owns what it owned.
fn assert_restored(stage: &Stage, lines: &[ObjectOutcome]) {
    let told = line(lines, FLUNDER);
    assert_eq!((told.outcome, code(told)), (Outcome::Created, ""));
    let flunder = stage
        .api
        .get(&format!("flunders.{GROUP}"), Some("shop"), "flat");
    let flunder = flunder.unwrap();
    assert_eq!(flunder["spec"]["fins"], 3);
    let owned = stage
        .api
        .get("configmaps", Some("shop"), "of-flat")
        .unwrap();
    let owner = &owned["metadata"]["ownerReferences"][0]["uid"];
    assert_eq!(*owner, flunder["metadata"]["uid"]);
}

#[tokio::test]
async fn objects_of_an_aggregated_api_that_is_restored_come_once_it_answers() {
    let (stage, point) = lost().await;
    stage.api.delete(APIS, None, API);
    stage.api.aggregate(GROUP, "v1", 3);
    let (state, lines) = done(&stage, point, RestoreMode::Validate).await;
    assert_eq!(state, JobState::CompletedWithWarnings);
    let foreseen = line(&lines, FLUNDER);
    let told = (foreseen.outcome, code(foreseen));
    assert_eq!(told, (Outcome::Created, "ApiGroupUnavailable"));
    assert!(foreseen.reason.contains("is restored"), "{foreseen:?}");

    let (state, lines) = done(&stage, point, RestoreMode::Apply).await;
    assert_eq!(state, JobState::Completed, "{lines:#?}");
    assert_restored(&stage, &lines);
}

#[tokio::test]
async fn objects_of_an_aggregated_api_that_is_down_at_first_come_once_it_answers() {
    let (stage, point) = lost().await;
    stage.api.aggregate(GROUP, "v1", 5);
    let (state, lines) = done(&stage, point, RestoreMode::Apply).await;
    assert_eq!(state, JobState::Completed, "{lines:#?}");
    assert_restored(&stage, &lines);
}

#[tokio::test]
async fn an_aggregated_api_that_never_answers_is_told_of_its_objects_before_and_after() {
    let (stage, point) = lost().await;
    stage.api.aggregate(GROUP, "v1", NEVER);
    for (mode, outcome) in [
        (RestoreMode::Validate, Outcome::Created),
        (RestoreMode::Apply, Outcome::Failed),
    ] {
        let (state, lines) = done(&stage, point, mode).await;
        assert_eq!(state, JobState::CompletedWithWarnings);
        let told = line(&lines, FLUNDER);
        assert_eq!((told.outcome, code(told)), (outcome, "ApiGroupUnavailable"));
        assert!(told.reason.contains(API), "{told:?}");
    }
}

#[tokio::test]
async fn a_type_that_neither_cluster_nor_restore_brings_is_not_waited_for() {
    let (stage, point) = lost().await;
    stage.api.delete(APIS, None, API);
    let mut spec = stage.restore_spec(point);
    spec.criteria.selection.excluded_resource_types =
        vec!["apiservices.apiregistration.k8s.io".into()];
    let status = stage.restore(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    let told = line(&lines, FLUNDER);
    let told = (told.outcome, code(told));
    assert_eq!(told, (Outcome::Failed, "ResourceTypeNotServed"));
}
