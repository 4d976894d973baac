//! What is installed, and how its state is told, from what real clusters write.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::testing::{Answer, Asked, cluster};

fn settings() -> ExtensionSettings {
    ExtensionSettings::new("strongroom.local/strongroom:0.1.0")
}

fn now() -> Timestamp {
    "2026-01-01T00:01:00Z".parse().unwrap()
}

#[test]
fn what_others_refer_to_is_made_first() {
    let kinds: Vec<String> = manifests(&settings())
        .iter()
        .map(|one| one["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "Namespace",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "Deployment",
        ]
    );
}

#[test]
fn the_deployment_and_the_roles_are_as_reviewed() {
    let reviewed: Vec<Value> = manifests(&settings())
        .into_iter()
        .filter(|one| one["kind"] != "CustomResourceDefinition")
        .collect();
    insta::assert_yaml_snapshot!(reviewed);
}

#[test]
fn every_rule_has_a_reason_and_none_is_for_impersonation() {
    for rule in CLUSTER_RULES.iter().chain(NAMESPACE_RULES) {
        assert!(rule.reason.len() > 20, "{rule:?}");
        for verb in ["impersonate", "deletecollection", "*"] {
            assert!(!rule.verbs.contains(&verb), "{rule:?}");
        }
    }
}

#[test]
fn nothing_may_be_deleted_but_snapshots_with_their_classes_and_our_own_ledgers() {
    let deletes = |rules: &[crate::access::Rule]| -> Vec<&str> {
        let deleting = rules.iter().filter(|rule| rule.verbs.contains(&"delete"));
        deleting.flat_map(|rule| rule.resources.to_vec()).collect()
    };
    assert_eq!(
        deletes(CLUSTER_RULES),
        [
            "volumesnapshots",
            "volumesnapshotcontents",
            "volumegroupsnapshots",
            "volumegroupsnapshotcontents",
            "volumesnapshotclasses"
        ]
    );
    assert_eq!(deletes(NAMESPACE_RULES), ["configmaps"]);
}

#[test]
fn installing_needs_the_rights_that_it_grants() {
    let needed = needed_to_install("ns");
    assert!(
        needed
            .iter()
            .any(|one| one.verb == "escalate" && one.resource == "clusterroles")
    );
    assert!(
        needed
            .iter()
            .any(|one| one.resource == "deployments" && one.verb == "patch")
    );
    let mut once = needed.clone();
    once.dedup();
    assert_eq!(once, needed);
}

fn deployment(ready: bool) -> Value {
    let count = u8::from(ready);
    json!({
        "metadata": {"generation": 3, "name": NAME},
        "spec": {"template": {"spec": {"containers": [{"image": "img:1"}]}}},
        "status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1,
            "readyReplicas": count, "availableReplicas": count},
    })
}

fn own(ready: bool, heartbeat: &str) -> Value {
    json!({"apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
        "kind": "BackupExtension", "metadata": {"name": "backup-extension"}, "spec": {},
        "status": {"version": "0.1.0", "publicKey": "a2V5", "ready": ready,
            "heartbeat": heartbeat, "storage": "", "capabilities": []}})
}

/// The state that a cluster with these parts tells.
async fn told(
    deployment: Option<Value>,
    own: Option<Value>,
    sets: Value,
    pods: Value,
) -> ExtensionState {
    let parts: BTreeMap<&str, Option<Value>> = BTreeMap::from([
        ("deployments", deployment),
        ("backupextensions", own),
        ("replicasets", Some(json!({"items": sets}))),
        ("pods", Some(json!({"items": pods}))),
    ]);
    let (cluster, _) = cluster(move |asked: &Asked| {
        let found = parts
            .iter()
            .find(|(plural, _)| asked.path.contains(*plural));
        match found.and_then(|(_, part)| part.as_ref()) {
            Some(part) => Answer::ok(part),
            None => Answer::failed(404, "NotFound", "no"),
        }
    });
    status(&cluster, "ns", now()).await.unwrap()
}

fn pod(status: Value) -> Value {
    json!([{"metadata": {"name": "p"}, "status": status}])
}

fn broken(state: ExtensionState) -> String {
    match state {
        ExtensionState::Broken { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_installed_is_absent() {
    assert_eq!(
        told(None, None, json!([]), json!([])).await,
        ExtensionState::Absent
    );
}

#[tokio::test]
async fn a_fresh_heartbeat_and_its_own_word_make_it_ready() {
    let state = told(
        Some(deployment(true)),
        Some(own(true, "2026-01-01T00:00:55Z")),
        json!([]),
        json!([]),
    )
    .await;
    assert_eq!(
        state,
        ExtensionState::Ready {
            version: "0.1.0".into(),
            public_key: "a2V5".into(),
            heartbeat_age: Duration::from_secs(5),
            image: "img:1".into(),
            capabilities: vec![],
            warning: None,
        }
    );
}

#[tokio::test]
async fn missing_volume_snapshots_are_a_warning_of_an_extension_that_works() {
    let mut own = own(true, "2026-01-01T00:00:55Z");
    own["status"]["conditions"] = json!([{"type": "SnapshotsPresent", "status": "False",
        "reason": "Missing", "message": "2 are missing",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let state = told(Some(deployment(true)), Some(own), json!([]), json!([])).await;
    let ExtensionState::Ready { warning, .. } = state else {
        panic!("{state:?}")
    };
    assert_eq!(warning.as_deref(), Some("2 are missing"));
}

#[tokio::test]
async fn a_running_pod_that_gives_no_sign_of_life_is_broken() {
    let state = told(
        Some(deployment(true)),
        Some(own(true, "2026-01-01T00:00:00Z")),
        json!([]),
        json!([]),
    )
    .await;
    assert!(broken(state).contains("60 s old"));
}

#[tokio::test]
async fn a_pod_that_has_not_spoken_yet_is_on_its_way() {
    let state = told(Some(deployment(true)), None, json!([]), json!([])).await;
    assert!(
        matches!(state, ExtensionState::Progressing { .. }),
        "{state:?}"
    );
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named() {
    let pods = pod(
        json!({"containerStatuses": [{"image": "img:1", "state": {"waiting": {
        "reason": "ImagePullBackOff", "message": "Back-off pulling image \"img:1\""}}}]}),
    );
    let why = broken(told(Some(deployment(false)), None, json!([]), pods).await);
    assert!(
        why.contains("img:1") && why.contains("ImagePullBackOff"),
        "{why}"
    );
}

#[tokio::test]
async fn a_crash_loop_tells_the_end_of_its_log() {
    let pods = pod(
        json!({"containerStatuses": [{"image": "img:1", "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137,
            "message": "one\ntwo\nthree\nfour\n"}}}]}),
    );
    let why = broken(told(Some(deployment(false)), None, json!([]), pods).await);
    assert_eq!(
        why,
        "it crashes again and again (4 restarts, OOMKilled, exit code 137): two / three / four"
    );
}

#[tokio::test]
async fn quota_and_pod_security_are_named_with_what_helps() {
    let set = |message: &str| {
        json!([{"status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]}}])
    };
    let quota = set("pods \"x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5");
    let why = broken(told(Some(deployment(false)), None, quota, json!([])).await);
    assert!(
        why.contains("exceeded quota: q") && why.contains("ResourceQuota"),
        "{why}"
    );
    let security = set("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"");
    let why = broken(told(Some(deployment(false)), None, security, json!([])).await);
    assert!(
        why.contains("violates PodSecurity") && why.contains("webhook"),
        "{why}"
    );
}

#[tokio::test]
async fn a_pod_that_no_node_takes_is_still_on_its_way() {
    let pods = pod(
        json!({"conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
    );
    let state = told(Some(deployment(false)), None, json!([]), pods).await;
    let ExtensionState::Progressing { why } = state else {
        panic!("{state:?}")
    };
    assert!(why.contains("Insufficient memory"), "{why}");
}

#[tokio::test]
async fn a_namespace_that_the_user_made_keeps_its_labels() {
    let (cluster, log) = cluster(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/namespaces/dataprotection-microsoft") => {
            Answer::ok(&json!({"metadata": {"labels": {}}, "status": {"phase": "Active"}}))
        }
        ("GET", _) => Answer::ok(&json!({"status": {"conditions": [
            {"type": "Established", "status": "True"}]}})),
        _ => Answer::ok(&asked.body),
    });
    install(&cluster, &settings()).await.unwrap();
    let applied: Vec<String> = log
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("PATCH"))
        .collect();
    assert_eq!(applied.len(), 11);
    assert!(
        !applied
            .iter()
            .any(|line| line.ends_with("/namespaces/dataprotection-microsoft"))
    );
}
