//! Restores.

use serde_json::json;
use strongroom_core::report::Outcome;
use strongroom_core::restore::ConflictPolicy;
use strongroom_kubernetes::crd::{JobState, RestoreMode};
use strongroom_simulation::api_server::Fault;
use uuid::Uuid;

use super::application::{self, assert_equal, objects};
use super::stage::{Stage, assert_completed, code, line, outcomes, with_outcome};

/// A stage with the application and a recovery point of it.
async fn backed_up() -> (Stage, Uuid) {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    assert_completed(&stage.back_up(&spec).await);
    (stage, spec.recovery_point_id)
}

#[tokio::test]
async fn an_application_that_was_lost_comes_back_equal() {
    let (stage, point) = backed_up().await;
    let before = objects(&stage.api, "shop");
    stage.api.delete("namespaces", None, "shop");
    let spec = stage.restore_spec(point);
    let status = stage.restore(&spec).await;
    assert_completed(&status);
    assert_equal(&before, &objects(&stage.api, "shop"));
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        line(&lines, "example.com/Widget shop/gear").outcome,
        Outcome::Created
    );
    assert!(with_outcome(&lines, Outcome::Failed).is_empty());
}

#[tokio::test]
async fn a_type_that_was_lost_with_its_objects_comes_back_before_them() {
    let (stage, point) = backed_up().await;
    let before = objects(&stage.api, "shop");
    stage.api.delete("namespaces", None, "shop");
    let definition = "customresourcedefinitions.apiextensions.k8s.io";
    stage.api.delete(definition, None, "widgets.example.com");
    assert_completed(&stage.restore(&stage.restore_spec(point)).await);
    assert_equal(&before, &objects(&stage.api, "shop"));
}

#[tokio::test]
async fn no_object_of_a_user_gets_a_label_or_annotation_of_ours() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    assert_completed(&stage.restore(&stage.restore_spec(point)).await);
    for object in objects(&stage.api, "shop") {
        let metadata = &object["metadata"];
        assert!(metadata["annotations"].is_null(), "{object:#}");
        assert!(metadata["labels"].is_null(), "{object:#}");
    }
}

#[tokio::test]
async fn a_restore_onto_an_equal_cluster_writes_nothing() {
    let (stage, point) = backed_up().await;
    let spec = stage.restore_spec(point);
    let process = stage.start();
    let name = stage.submit_restore(&spec).await;
    let _ = stage.api.take_calls();
    let status = stage.ended(&name).await;
    drop(process);
    assert_completed(&status);
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        with_outcome(&lines, Outcome::Unchanged).len(),
        lines.len(),
        "{:#?}",
        outcomes(&lines)
    );
    let revision = |object: &serde_json::Value| object["metadata"]["resourceVersion"].clone();
    let changed: Vec<_> = stage
        .api
        .take_calls()
        .into_iter()
        .filter(|call| call.method != "GET" && !call.path.contains("dataprotection"))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    assert!(
        objects(&stage.api, "shop")
            .iter()
            .all(|object| !revision(object).is_null())
    );
}

#[tokio::test]
async fn what_differs_is_left_under_skip_and_changed_under_patch() {
    for (policy, greeting, outcome) in [
        (ConflictPolicy::Skip, "changed", Outcome::Skipped),
        (ConflictPolicy::Patch, "hello", Outcome::Patched),
    ] {
        let (stage, point) = backed_up().await;
        stage.api.delete("configmaps", Some("shop"), "settings");
        stage.api.create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "shop"}, "data": {"greeting": "changed"}}));
        let mut spec = stage.restore_spec(point);
        spec.criteria.conflict_policy = policy;
        let status = stage.restore(&spec).await;
        let lines = stage.report(spec.job_id, &status).await;
        assert_eq!(
            line(&lines, "ConfigMap shop/settings").outcome,
            outcome,
            "{lines:#?}"
        );
        let live = stage
            .api
            .get("configmaps", Some("shop"), "settings")
            .unwrap();
        assert_eq!(live["data"]["greeting"], greeting);
    }
}

#[tokio::test]
async fn a_namespace_is_restored_under_another_name_with_its_references() {
    let (stage, point) = backed_up().await;
    let mut spec = stage.restore_spec(point);
    spec.criteria.selection.included_namespaces = Some(vec!["shop".into()]);
    spec.criteria
        .namespace_mappings
        .insert("shop".into(), "copy".into());
    let status = stage.restore(&spec).await;
    // The address of the Service is taken by the original.
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    let service = line(&lines, "Service copy/web");
    assert_eq!(
        (service.outcome, code(service)),
        (Outcome::Created, "ClusterAssignedValueTaken")
    );
    let binding = stage.api.get(
        "rolebindings.rbac.authorization.k8s.io",
        Some("copy"),
        "reader",
    );
    assert_eq!(binding.unwrap()["subjects"][0]["namespace"], "copy");
    let namespace = stage.api.get("namespaces", None, "copy").unwrap();
    assert_eq!(namespace["metadata"]["labels"]["team"], "sales");
    let widget = stage
        .api
        .get("widgets.example.com", Some("copy"), "gear")
        .unwrap();
    let owned = stage
        .api
        .get("configmaps", Some("copy"), "of-gear")
        .unwrap();
    assert_eq!(
        owned["metadata"]["ownerReferences"][0]["uid"],
        widget["metadata"]["uid"]
    );
    assert_eq!(
        objects(&stage.api, "shop").len(),
        objects(&stage.api, "copy").len()
    );
}

#[tokio::test]
async fn a_restore_of_one_type_takes_only_that_and_makes_the_namespace_for_it() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    let mut spec = stage.restore_spec(point);
    spec.criteria.selection.included_resource_types = vec!["ConfigMap".into()];
    let status = stage.restore(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    let created = with_outcome(&lines, Outcome::Created);
    assert_eq!(
        created,
        [
            "Namespace shop",
            "ConfigMap shop/of-gear",
            "ConfigMap shop/settings"
        ]
    );
    let namespace = stage.api.get("namespaces", None, "shop").unwrap();
    assert_eq!(
        namespace["metadata"]["labels"]["team"], "sales",
        "as the recovery point holds it"
    );
    // Its owner was not restored.
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    let owners: Vec<_> = lines
        .iter()
        .filter(|line| code(line) == "OwnerNotRestored")
        .collect();
    assert_eq!(owners.len(), 1, "{lines:#?}");
}

#[tokio::test]
async fn a_validation_changes_nothing_and_says_what_the_restore_then_does() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    stage.api.delete(
        "customresourcedefinitions.apiextensions.k8s.io",
        None,
        "widgets.example.com",
    );
    let mut spec = stage.restore_spec(point);
    spec.mode = RestoreMode::Validate;
    let process = stage.start();
    let name = stage.submit_restore(&spec).await;
    let _ = stage.api.take_calls();
    let validated = stage.ended(&name).await;
    drop(process);
    assert_completed(&validated);
    let writes: Vec<_> = stage
        .api
        .take_calls()
        .into_iter()
        .filter(|call| call.method != "GET" && !call.path.contains("dataprotection"))
        // A question, and a trial that the API server forgets.
        .filter(|call| !call.path.contains("accessreviews") && !call.path.contains("dryRun=All"))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let plan = stage.report(spec.job_id, &validated).await;
    let mut spec = stage.restore_spec(point);
    spec.plan_digest.clone_from(&validated.plan_digest);
    let done = stage.restore(&spec).await;
    assert_completed(&done);
    assert_eq!(
        outcomes(&plan),
        outcomes(&stage.report(spec.job_id, &done).await)
    );
}

#[tokio::test]
async fn what_changed_since_the_validation_is_named() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    let mut validate = stage.restore_spec(point);
    validate.mode = RestoreMode::Validate;
    let validated = stage.restore(&validate).await;
    application::deploy(&stage.api, "shop");
    let mut spec = stage.restore_spec(point);
    spec.plan_digest = validated.plan_digest;
    let status = stage.restore(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    let secret = line(&lines, "Secret shop/password");
    assert_eq!(
        (secret.outcome, code(secret)),
        (Outcome::Unchanged, "UserErrorRestorePlanChanged")
    );
    assert!(secret.reason.contains("Created"), "{}", secret.reason);
}

#[tokio::test]
async fn a_type_that_the_cluster_lacks_is_a_finding_for_each_of_its_objects() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    stage.api.delete(
        "customresourcedefinitions.apiextensions.k8s.io",
        None,
        "widgets.example.com",
    );
    let mut spec = stage.restore_spec(point);
    // With the definition excluded nothing makes the type, though its objects need it.
    spec.criteria.selection.excluded_resource_types = vec!["crd".to_owned()];
    let status = stage.restore(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        code(line(&lines, "example.com/Widget shop/gear")),
        "ResourceTypeNotServed"
    );
    assert_eq!(
        line(&lines, "apps/Deployment shop/web").outcome,
        Outcome::Created
    );
}

#[tokio::test]
async fn an_object_that_admission_refuses_fails_alone() {
    let (stage, point) = backed_up().await;
    stage.api.delete("namespaces", None, "shop");
    stage.api.inject(Fault {
        method: Some("POST"),
        path: "/deployments?".into(),
        status: 403,
        reason: "Forbidden".into(),
        message: "deployments.apps \"web\" is forbidden: exceeded quota: q".into(),
        times: u32::MAX,
    });
    let spec = stage.restore_spec(point);
    let status = stage.restore(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        code(line(&lines, "apps/Deployment shop/web")),
        "QuotaExceeded"
    );
    assert_eq!(with_outcome(&lines, Outcome::Failed).len(), 1);
}

#[tokio::test]
async fn a_claim_whose_data_were_asked_for_and_are_not_there_is_named() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let claim = |name: &str, volume: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "shop",
                "annotations": {"volume.kubernetes.io/storage-provisioner": "example.com/nfs"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": volume,
                "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": if volume.is_empty() { "Pending" } else { "Bound" }}})
    };
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "pv-data"},
        "spec": {"nfs": {"path": "/x"}, "claimRef": {"namespace": "shop", "name": "data"}}}));
    stage.api.create(&claim("data", "pv-data"));
    stage.api.replace_status(&claim("data", "pv-data"));
    stage.api.create(&claim("unbound", ""));
    let backup = stage.backup_of(&["shop"]);
    stage.back_up(&backup).await;
    for (asked, told) in [(true, "VolumeDataNotProtected"), (false, "")] {
        stage.api.delete("namespaces", None, "shop");
        let mut spec = stage.restore_spec(backup.recovery_point_id);
        spec.criteria.restore_volumes = asked;
        let status = stage.restore(&spec).await;
        let lines = stage.report(spec.job_id, &status).await;
        let claim = line(&lines, "PersistentVolumeClaim shop/data");
        assert_eq!((claim.outcome, code(claim)), (Outcome::Created, told));
        assert!(
            asked || claim.reason.contains("without its data"),
            "{claim:?}"
        );
        let unbound = line(&lines, "PersistentVolumeClaim shop/unbound");
        assert_eq!(code(unbound), "", "it never had any data: {unbound:?}");
    }
}

#[tokio::test]
async fn a_recovery_point_that_does_not_exist_fails_the_job() {
    let stage = Stage::new().await;
    let status = stage.restore(&stage.restore_spec(Uuid::from_u128(1))).await;
    assert_eq!(status.state, JobState::Failed);
    assert_eq!(status.error.unwrap().code, "UserErrorRecoveryPointNotFound");
}

#[tokio::test]
async fn a_restore_of_many_objects_asks_the_api_server_little_more_than_once_for_each() {
    let stage = Stage::new().await;
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "many"}}));
    for number in 0..700 {
        stage
            .api
            .create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("m{number:04}"), "namespace": "many"}}));
    }
    let backup = stage.backup_of(&["many"]);
    assert_completed(&stage.back_up(&backup).await);
    let calls = async || {
        let _ = stage.api.take_calls();
        let spec = stage.restore_spec(backup.recovery_point_id);
        assert_completed(&stage.restore(&spec).await);
        stage
            .api
            .take_calls()
            .into_iter()
            .filter(|call| !call.path.contains("dataprotection"))
            .count()
    };
    assert!(
        calls().await < 60,
        "an equal cluster is listed, not asked object by object"
    );
    stage.api.delete("namespaces", None, "many");
    assert!(
        calls().await < 720,
        "little more than the creates themselves"
    );
    assert_eq!(stage.api.list("configmaps").len(), 700);
}
