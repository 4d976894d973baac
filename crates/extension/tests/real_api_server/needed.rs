//! With the cluster's own scope switched off, a backup takes of it what the chosen namespace needs; all
//! of it goes, and comes back with the namespace.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd::JobState;

use super::application::assert_equal;
use super::bad_input::{create, empty_namespace};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::remove;

const PLACE: &str = "strongroom-needed";
const GROUP: &str = "needed.example.com";

fn wide(group: &str, kind: &str, plural: &str) -> ResourceType {
    ResourceType::new(group, "v1", kind, plural, false)
}

/// What is there in the cluster's own scope: all that the namespace needs, and beside each something of
/// the same type that it does not need.
fn around() -> Vec<(ResourceType, Value)> {
    let rbac = "rbac.authorization.k8s.io";
    let role = |name: &str| {
        (
            wide(rbac, "ClusterRole", "clusterroles"),
            json!({"metadata": {"name": name},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        )
    };
    let binding = |name: &str, namespace: &str| {
        (
            wide(rbac, "ClusterRoleBinding", "clusterrolebindings"),
            json!({"metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": namespace}]}),
        )
    };
    let storage = |name: &str| {
        (
            wide("storage.k8s.io", "StorageClass", "storageclasses"),
            json!({"metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner",
                "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate"}),
        )
    };
    let priority = |name: &str| {
        (
            wide("scheduling.k8s.io", "PriorityClass", "priorityclasses"),
            json!({"metadata": {"name": name}, "value": 7}),
        )
    };
    let volume = |name: &str, class: &str| {
        (
            core("PersistentVolume", "persistentvolumes", false),
            json!({"metadata": {"name": name}, "spec": {"capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "persistentVolumeReclaimPolicy": "Retain",
                "nfs": {"server": "nfs.example.com", "path": "/x"}}}),
        )
    };
    let definition = |kind: &str, plural: &str| {
        (
            wide(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "customresourcedefinitions",
            ),
            json!({"metadata": {"name": format!("{plural}.{GROUP}")},
                "spec": {"group": GROUP, "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                        "listKind": format!("{kind}List")},
                    "versions": [{"name": "v1", "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {"type": "object",
                            "x-kubernetes-preserve-unknown-fields": true}}}]}}),
        )
    };
    vec![
        definition("Tool", "tools"),
        definition("Toy", "toys"),
        storage("needed-class"),
        storage("other-class"),
        priority("needed-priority"),
        priority("other-priority"),
        role("needed-role"),
        role("other-role"),
        binding("needed-role", PLACE),
        binding("other-role", "somewhere-else"),
        volume("needed-volume", "needed-class"),
        volume("other-volume", "other-class"),
    ]
}

fn within() -> Vec<(ResourceType, Value)> {
    let tools = ResourceType::new(GROUP, "v1", "Tool", "tools", true);
    let deployments = ResourceType::new("apps", "v1", "Deployment", "deployments", true);
    let labels = json!({"app": "web"});
    vec![
        (
            core("ServiceAccount", "serviceaccounts", true),
            json!({"metadata": {"name": "web"}}),
        ),
        (
            tools,
            json!({"metadata": {"name": "hammer"}, "spec": {"weight": 2}}),
        ),
        (
            core("PersistentVolumeClaim", "persistentvolumeclaims", true),
            json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "storageClassName": "needed-class", "volumeName": "needed-volume",
                "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
        (
            deployments,
            json!({"metadata": {"name": "web"}, "spec": {"replicas": 0,
                "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                    "spec": {"priorityClassName": "needed-priority", "serviceAccountName": "web",
                        "containers": [{"name": "c", "image": "c:1"}]}}}}),
        ),
    ]
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

async fn make(stage: &Stage, (resource, object): &(ResourceType, Value)) {
    let mut object = object.clone();
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(PLACE);
    }
    create(stage, resource, &object).await;
    if resource.kind == "CustomResourceDefinition" {
        objects::wait_established(&stage.cluster, name(&object), PATIENCE)
            .await
            .unwrap();
    }
}

/// Removes all of it, the namespace first, and waits until it is gone.
async fn lose(stage: &Stage) {
    let namespaces = core("Namespace", "namespaces", false);
    remove(stage, &namespaces, PLACE).await;
    objects::wait_gone(&stage.cluster, &namespaces, None, PLACE, PATIENCE)
        .await
        .unwrap();
    for (resource, object) in around() {
        let how = Propagation::Background;
        objects::delete(&stage.cluster, &resource, None, name(&object), None, how)
            .await
            .unwrap();
    }
    for (resource, object) in around() {
        objects::wait_gone(&stage.cluster, &resource, None, name(&object), PATIENCE)
            .await
            .unwrap();
    }
}

/// What is there of the cluster's own scope and of the namespace, once the claim is bound.
async fn there(stage: &Stage) -> Vec<Value> {
    let bound = async {
        loop {
            let claims = core("PersistentVolumeClaim", "persistentvolumeclaims", true);
            let live = objects::get(&stage.cluster, &claims, Some(PLACE), "data").await;
            if live
                .unwrap()
                .is_some_and(|live| live["status"]["phase"] == "Bound")
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, bound)
        .await
        .expect("the claim is bound");
    let mut found = Vec::new();
    for (resource, object) in around().into_iter().chain(within()) {
        let namespace = resource.namespaced.then_some(PLACE);
        let live = objects::get(&stage.cluster, &resource, namespace, name(&object)).await;
        found.extend(live.unwrap());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_needs_of_the_clusters_own_scope_goes_and_comes_with_it() {
    let Some(stage) = Stage::new("needed").await else {
        return;
    };
    lose(&stage).await;
    empty_namespace(&stage, PLACE).await;
    for one in around().into_iter().chain(within()) {
        make(&stage, &one).await;
    }
    let mut before = there(&stage).await;
    assert_eq!(before.len(), around().len() + within().len());
    let mut backup = stage.backup_of(&[PLACE]);
    backup.selection.include_cluster_scope_resources = false;
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let told = stage.report(backup.job_id, &status).await;
    assert_eq!(status.state, JobState::Completed, "{told:#?}");
    lose(&stage).await;

    let mut restore = stage.restore_of(&backup);
    restore.criteria.selection.include_cluster_scope_resources = false;
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
    before.retain(|object| {
        !name(object).starts_with("other-") && name(object) != "toys.needed.example.com"
    });
    assert_equal(&before, &there(&stage).await);
    let made = lines.iter().filter(|line| {
        line.outcome == Outcome::Created
            && line.object.namespace.is_none()
            && line.object.kind != "Namespace"
    });
    assert_eq!(made.count(), around().len() / 2, "{lines:#?}");
    lose(&stage).await;
}
