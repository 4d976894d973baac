//! What is taken of the cluster's own scope, what keeps itself out, and that a preview counts what the
//! backup takes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::Selection;
use strongroom_kubernetes::crd::{BackupMode, BackupSpec, JobState, JobStatus};
use strongroom_kubernetes::{EXTENSION_NAMESPACE, jobs};

use strongroom_simulation::api_server::{Fault, Kind};
use strongroom_simulation::object_store::Verdict;

use super::application;
use super::stage::{Stage, assert_completed, code, line, with_outcome};

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_V1: &str = "rbac.authorization.k8s.io/v1";

/// Lets a cluster serve the types that the simulated one does not by itself.
fn serve_types(stage: &Stage) {
    for (group, kind, plural) in [
        ("storage.k8s.io", "StorageClass", "storageclasses"),
        ("scheduling.k8s.io", "PriorityClass", "priorityclasses"),
        (RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    ] {
        stage.api.serve_kind(Kind {
            namespaced: false,
            ..Kind::namespaced(group, "v1", kind, plural)
        });
    }
}

/// Objects of the cluster's own scope, some of which the application needs.
fn furnish(stage: &Stage) {
    serve_types(stage);
    let cluster = |api_version: &str, kind: &str, name: &str, mut rest: Value| {
        rest["apiVersion"] = json!(api_version);
        rest["kind"] = json!(kind);
        rest["metadata"]["name"] = json!(name);
        stage.api.create(&rest);
    };
    for name in ["fast", "slow", "unused"] {
        cluster(
            "storage.k8s.io/v1",
            "StorageClass",
            name,
            json!({"provisioner": "x"}),
        );
    }
    for name in ["urgent", "idle"] {
        cluster(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            name,
            json!({"value": 1}),
        );
    }
    for (name, claim) in [("pv-data", "data"), ("pv-other", "else")] {
        let spec = json!({"spec": {"storageClassName": "slow",
            "claimRef": {"namespace": "shop", "name": claim}}});
        cluster("v1", "PersistentVolume", name, spec);
    }
    let bound = |namespace: &str, role: &str| {
        json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": namespace}]})
    };
    cluster(
        RBAC_V1,
        "ClusterRoleBinding",
        "of-shop",
        bound("shop", "whole"),
    );
    cluster(
        RBAC_V1,
        "ClusterRoleBinding",
        "of-others",
        bound("others", "elsewhere"),
    );
    furnish_roles(&cluster);
    cluster(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "gadgets.example.com",
        json!({
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
    );
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"volumeName": "pv-data", "storageClassName": "fast"}}));
    stage
        .api
        .create(&json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"template": {"spec": {"priorityClassName": "urgent"}}}}));
}

/// Cluster roles: one that a binding names, a part of it, and one of others.
fn furnish_roles(cluster: &dyn Fn(&str, &str, &str, Value)) {
    let parts =
        json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "whole"}}]}});
    cluster(RBAC_V1, "ClusterRole", "whole", parts);
    cluster(
        RBAC_V1,
        "ClusterRole",
        "a-part",
        json!({"metadata": {"labels": {"to": "whole"}}, "rules": []}),
    );
    cluster(RBAC_V1, "ClusterRole", "elsewhere", json!({"rules": []}));
}

async fn furnished() -> Stage {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    furnish(&stage);
    stage
}

fn without_cluster_scope(stage: &Stage) -> BackupSpec {
    let mut spec = stage.backup_of(&["shop"]);
    spec.selection.include_cluster_scope_resources = false;
    spec.selection.snapshot_volumes = false;
    spec
}

fn of_the_clusters_scope(lines: &[ObjectOutcome]) -> Vec<String> {
    let mut taken: Vec<String> = lines
        .iter()
        .filter(|line| line.outcome == Outcome::BackedUp && line.object.namespace.is_none())
        .map(|line| line.object.to_string())
        .collect();
    taken.sort();
    taken
}

#[tokio::test]
async fn with_the_clusters_scope_off_a_backup_takes_what_it_needs_of_it_and_says_for_whom() {
    let stage = furnished().await;
    let spec = without_cluster_scope(&stage);
    let status = stage.back_up(&spec).await;
    assert_completed(&status);
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        of_the_clusters_scope(&lines),
        [
            "Namespace shop",
            "PersistentVolume pv-data",
            "apiextensions.k8s.io/CustomResourceDefinition widgets.example.com",
            "rbac.authorization.k8s.io/ClusterRole a-part",
            "rbac.authorization.k8s.io/ClusterRole whole",
            "rbac.authorization.k8s.io/ClusterRoleBinding of-shop",
            "scheduling.k8s.io/PriorityClass urgent",
            "storage.k8s.io/StorageClass fast",
            "storage.k8s.io/StorageClass slow",
        ]
    );
    let reason = |object: &str| line(&lines, object).reason.clone();
    assert!(reason("scheduling.k8s.io/PriorityClass urgent").contains("StatefulSet shop/db"));
    assert!(reason("storage.k8s.io/StorageClass slow").contains("PersistentVolume pv-data"));
    assert!(reason("rbac.authorization.k8s.io/ClusterRole a-part").contains("ClusterRole whole"));
    assert!(
        reason("storage.k8s.io/StorageClass unused").contains("nothing that is taken needs it")
    );
}

#[tokio::test]
async fn a_point_with_needed_objects_restores_into_an_empty_cluster() {
    let stage = furnished().await;
    let spec = without_cluster_scope(&stage);
    assert_completed(&stage.back_up(&spec).await);
    let target = Stage::over(stage.store.clone()).await;
    serve_types(&target);
    let restored = target
        .restore(&target.restore_spec(spec.recovery_point_id))
        .await;
    assert!(restored.error.is_none(), "{restored:#?}");
    for (kind, namespace, name) in [
        ("widgets.example.com", Some("shop"), "gear"),
        ("priorityclasses.scheduling.k8s.io", None, "urgent"),
        ("storageclasses.storage.k8s.io", None, "fast"),
        ("clusterroles.rbac.authorization.k8s.io", None, "a-part"),
        ("statefulsets.apps", Some("shop"), "db"),
    ] {
        assert!(
            target.api.get(kind, namespace, name).is_some(),
            "{kind} {name}: {restored:#?}"
        );
    }
}

#[tokio::test]
async fn a_restore_without_the_clusters_scope_makes_what_is_needed_and_changes_nothing_there() {
    let stage = furnished().await;
    let spec = stage.backup_of(&["shop"]);
    assert!(stage.back_up(&spec).await.error.is_none());
    let target = Stage::over(stage.store.clone()).await;
    serve_types(&target);
    target.api.create(
        &json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "fast"}, "provisioner": "another"}),
    );
    let mut restore = target.restore_spec(spec.recovery_point_id);
    restore.criteria.selection.include_cluster_scope_resources = false;
    restore.criteria.conflict_policy = strongroom_core::restore::ConflictPolicy::Patch;
    let restored = target.restore(&restore).await;
    assert!(restored.error.is_none(), "{restored:#?}");
    let there = |kind: &str, name: &str| target.api.get(kind, None, name).is_some();
    let roles = "clusterroles.rbac.authorization.k8s.io";
    assert!(there(
        "customresourcedefinitions.apiextensions.k8s.io",
        "widgets.example.com"
    ));
    assert!(there("priorityclasses.scheduling.k8s.io", "urgent"));
    assert!(there(roles, "a-part") && there(roles, "whole"));
    assert!(!there(roles, "elsewhere"));
    assert!(!there(
        "customresourcedefinitions.apiextensions.k8s.io",
        "gadgets.example.com"
    ));
    assert!(!there("storageclasses.storage.k8s.io", "unused"));
    let fast = target
        .api
        .get("storageclasses.storage.k8s.io", None, "fast")
        .unwrap();
    assert_eq!(fast["provisioner"], "another");
    assert!(
        target
            .api
            .get("widgets.example.com", Some("shop"), "gear")
            .is_some()
    );
}

#[tokio::test]
async fn an_excluded_type_is_not_taken_even_when_it_is_needed() {
    let stage = furnished().await;
    let mut spec = without_cluster_scope(&stage);
    spec.selection.excluded_resource_types = vec!["sc".to_owned()];
    let status = stage.back_up(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    assert_eq!(
        line(&lines, "storage.k8s.io/StorageClass *").reason,
        "its type is excluded"
    );
}

#[tokio::test]
async fn roles_that_cannot_be_listed_are_a_finding_and_the_rest_is_taken() {
    let stage = furnished().await;
    stage.api.inject(Fault {
        method: Some("GET"),
        path: "/clusterroles?".to_owned(),
        status: 403,
        reason: "Forbidden".to_owned(),
        message: "clusterroles is forbidden".to_owned(),
        times: u32::MAX,
    });
    let spec = without_cluster_scope(&stage);
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = stage.report(spec.job_id, &status).await;
    let roles = line(&lines, "rbac.authorization.k8s.io/ClusterRole *");
    assert_eq!(code(roles), "UserErrorClusterPermissionMissing");
    assert!(
        with_outcome(&lines, Outcome::BackedUp).contains(&"PersistentVolume pv-data".to_owned())
    );
}

#[tokio::test]
async fn the_next_backup_of_needed_objects_sends_next_to_nothing() {
    let stage = furnished().await;
    let first = without_cluster_scope(&stage);
    let full = stage.back_up(&first).await;
    let mut second = without_cluster_scope(&stage);
    second.parent_recovery_point_id = Some(first.recovery_point_id);
    let next = stage.back_up(&second).await;
    assert_completed(&next);
    assert_eq!(next.bytes, full.bytes);
    assert!(
        next.new_bytes < full.new_bytes / 2,
        "{} of {}",
        next.new_bytes,
        full.new_bytes
    );
}

#[tokio::test]
async fn an_object_with_the_label_is_left_and_a_namespace_with_it_wholly() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage.api.create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "cache", "namespace": "shop", "labels": {"velero.io/exclude-from-backup": "true"}}}));
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "scratch", "labels": {"strongroom.io/exclude-from-backup": "true"}}}));
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "draft", "namespace": "scratch"}}));
    let spec = stage.backup_of(&["shop", "scratch"]);
    let status = stage.back_up(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    for left in ["ConfigMap shop/cache", "Namespace scratch"] {
        let left = line(&lines, left);
        assert_eq!(left.outcome, Outcome::Skipped);
        assert!(
            left.reason.contains("exclude-from-backup"),
            "{}",
            left.reason
        );
    }
    assert!(
        !lines.iter().any(|line| line.object.name == "draft"),
        "it is counted, not named"
    );
    assert!(status.counts["NotSelected"] >= 1);
}

/// Makes a preview of a selection with a process of its own, and removes it as the vault does.
async fn preview(stage: &Stage, selection: Selection) -> JobStatus {
    let mut spec = stage.backup_spec();
    spec.mode = BackupMode::Preview;
    spec.sealed = String::new();
    spec.selection = selection;
    let process = stage.start();
    stage.submit_backup(&spec).await;
    let status = stage.ended(&jobs::preview_name(spec.job_id)).await;
    drop(process);
    let cluster = stage.cluster();
    assert!(
        jobs::delete_preview(&cluster, EXTENSION_NAMESPACE, spec.job_id)
            .await
            .unwrap()
    );
    status
}

/// Taken objects by kind.
type Taken = BTreeMap<(String, String), u64>;

fn taken_by(lines: &[ObjectOutcome]) -> Taken {
    let mut taken = Taken::new();
    for line in lines
        .iter()
        .filter(|line| line.outcome == Outcome::BackedUp)
    {
        *taken
            .entry((line.object.group.clone(), line.object.kind.clone()))
            .or_default() += 1;
    }
    taken
}

fn taken_in(status: &JobStatus) -> Taken {
    let types = &status.preview.as_ref().expect("a preview").types;
    let taken = types.iter().filter(|counted| counted.taken > 0);
    taken
        .map(|counted| ((counted.group.clone(), counted.kind.clone()), counted.taken))
        .collect()
}

#[tokio::test]
async fn a_preview_counts_what_the_backup_takes_and_leaves_nothing_behind() {
    let stage = furnished().await;
    let configurations = [
        Selection::default(),
        without_cluster_scope(&stage).selection,
        Selection {
            include_secrets: false,
            ..stage.backup_of(&["shop"]).selection
        },
        Selection {
            included_resource_types: vec!["deploy".into(), "Widget".into()],
            ..Selection::default()
        },
        Selection {
            label_selectors: vec!["!none".into()],
            ..stage.backup_of(&["shop"]).selection
        },
    ];
    for selection in configurations {
        stage.store.decide(|_, _, _| Verdict::Pass);
        let counted = preview(&stage, selection.clone()).await;
        assert_eq!(stage.store.calls(), 0, "a preview has no store");
        assert!(counted.error.is_none(), "{counted:#?}");
        let spec = BackupSpec {
            selection: selection.clone(),
            ..stage.backup_spec()
        };
        let done = stage.back_up(&spec).await;
        let lines = stage.report(spec.job_id, &done).await;
        assert_eq!(taken_in(&counted), taken_by(&lines), "{selection:?}");
        assert_eq!(counted.bytes, done.bytes);
        assert_eq!(counted.counts, done.counts);
        assert_eq!(counted.state, done.state);
    }
}

#[tokio::test]
async fn a_preview_tells_of_filters_that_match_nothing() {
    let stage = furnished().await;
    let selection = Selection {
        included_namespaces: Some(vec!["shop".into(), "nowhere".into()]),
        excluded_namespaces: vec!["gone".into()],
        excluded_resource_types: vec!["Sprocket".into()],
        label_selectors: vec!["no=such".into()],
        include_cluster_scope_resources: false,
        ..Selection::default()
    };
    let status = preview(&stage, selection).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let found = status.preview.unwrap().findings;
    let mut codes: Vec<(&str, &str)> = found
        .iter()
        .map(|one| (one.code.as_str(), one.object.as_str()))
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            ("ResourceTypeFilterMatchesNothing", "Sprocket *"),
            ("SelectionTakesNothing", "the configuration"),
            ("UserErrorNamespaceNotFound", "Namespace gone"),
            ("UserErrorNamespaceNotFound", "Namespace nowhere"),
        ]
    );
}

#[tokio::test]
async fn a_preview_does_not_wait_for_a_backup_that_runs_and_needs_no_store() {
    let stage = furnished().await;
    stage.store.decide(|_, _, _| Verdict::Hang);
    let running = stage.backup_of(&["shop"]);
    stage.submit_backup(&running).await;
    let counted = preview(&stage, Selection::default()).await;
    assert!(counted.preview.is_some(), "{counted:#?}");
}

#[tokio::test]
async fn a_preview_whose_process_is_killed_is_begun_again_by_the_next() {
    let stage = furnished().await;
    for place in [
        "discover:before",
        "plan:after",
        "collect:during",
        "collect:after",
    ] {
        let mut spec = stage.backup_spec();
        spec.mode = BackupMode::Preview;
        stage.submit_backup(&spec).await;
        stage.kill_at(place).await;
        let process = stage.start();
        let status = stage.ended(&jobs::preview_name(spec.job_id)).await;
        drop(process);
        assert_eq!(status.attempt, 2);
        assert!(status.preview.is_some(), "{place}: {status:#?}");
    }
}
