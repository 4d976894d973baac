//! What a cluster should not hold, and APIs that do not answer: all that can be taken is taken and comes
//! back equal, and what cannot is a finding with its type and cause.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Created, Propagation};
use strongroom_kubernetes::crd::{JobState, RestoreSpec};
use strongroom_kubernetes::discovery::discover;

use super::application::{Application, assert_equal};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{definitions, emptied, line, remove};

pub(super) const GROUP: &str = "bad.example.com";

pub(super) fn custom(version: &str, kind: &str, plural: &str) -> ResourceType {
    ResourceType::new(GROUP, version, kind, plural, true)
}

/// A definition with the storage version v1 and, when `second` says so, v2, which the API server prefers
/// and which lacks the field `kept`.
pub(super) fn definition(kind: &str, plural: &str, second: bool) -> Value {
    let version = |name: &str, storage: bool, field: &str| {
        json!({"name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                "type": "object", "properties": {field: {"type": "string"}}}}}}})
    };
    let mut versions = vec![version("v1", true, "kept")];
    if second {
        versions.push(version("v2", false, "other"));
    }
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "versions": versions,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                "listKind": format!("{kind}List")}}})
}

pub(super) async fn create(stage: &Stage, resource: &ResourceType, object: &Value) {
    let made = objects::create(&stage.cluster, resource, object).await;
    assert!(matches!(made, Ok(Created::New(_))), "{made:?}");
}

/// Makes a type, and waits until it is served.
pub(super) async fn define(stage: &Stage, definition: &Value) {
    let name = definition["metadata"]["name"].as_str().unwrap();
    create(stage, &definitions(), definition).await;
    objects::wait_established(&stage.cluster, name, PATIENCE)
        .await
        .unwrap();
}

/// Removes a type that this or an earlier run made, and all of its objects.
pub(super) async fn undefine(stage: &Stage, plural: &str) {
    let name = format!("{plural}.{GROUP}");
    let healed = json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}});
    let _ = objects::patch_merge(&stage.cluster, &definitions(), None, &name, &healed).await;
    remove(stage, &definitions(), &name).await;
    objects::wait_gone(&stage.cluster, &definitions(), None, &name, PATIENCE)
        .await
        .unwrap();
}

async fn get(stage: &Stage, resource: &ResourceType, namespace: &str, name: &str) -> Value {
    let live = objects::get(&stage.cluster, resource, Some(namespace), name).await;
    live.unwrap()
        .unwrap_or_else(|| panic!("{name} is not there"))
}

pub(super) async fn delete(stage: &Stage, resource: &ResourceType, namespace: &str, name: &str) {
    let how = Propagation::Background;
    objects::delete(&stage.cluster, resource, Some(namespace), name, None, how)
        .await
        .unwrap();
}

/// A namespace that is empty but for what every namespace has.
pub(super) async fn empty_namespace(stage: &Stage, name: &str) -> Application {
    let namespace = Application {
        namespace: name.to_owned(),
    };
    emptied(stage, &namespace).await;
    namespace
}

/// A restore that is as clean as can be.
async fn restore_cleanly(stage: &Stage, restore: &RestoreSpec) {
    let status = stage.run_restore(restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_only_the_storage_version_has_comes_back() {
    let Some(stage) = Stage::new("versions").await else {
        return;
    };
    undefine(&stage, "relics").await;
    let place = empty_namespace(&stage, "strongroom-versions").await;
    let namespace = place.namespace.as_str();
    define(&stage, &definition("Relic", "relics", true)).await;
    let stored = custom("v1", "Relic", "relics");
    create(
        &stage,
        &stored,
        &json!({"apiVersion": stored.api_version(), "kind": "Relic",
            "metadata": {"name": "vase", "namespace": namespace}, "spec": {"kept": "glaze"}}),
    )
    .await;
    let preferred = discover(&stage.cluster).await.unwrap();
    let preferred = preferred.preferred(GROUP, "Relic").unwrap();
    assert_eq!(preferred.resource.version, "v2");
    let shown = get(&stage, &preferred.resource, namespace, "vase").await;
    assert_eq!(shown["spec"]["kept"], Value::Null, "v2 loses it: {shown}");

    let backup = stage.backup_of(&[namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    delete(&stage, &stored, namespace, "vase").await;
    restore_cleanly(&stage, &stage.restore_of(&backup)).await;
    let live = get(&stage, &stored, namespace, "vase").await;
    assert_eq!(live["spec"], json!({"kept": "glaze"}));
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
    undefine(&stage, "relics").await;
}

/// Lets a type be converted by a webhook that nobody answers; v1, in which its objects are stored, is
/// served on or not.
async fn break_conversion(stage: &Stage, kind: &str, plural: &str, v1_served: bool) {
    let mut broken = definition(kind, plural, true)["spec"].take();
    broken["versions"][0]["served"] = json!(v1_served);
    broken["conversion"] = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:9/nobody"}}});
    let name = format!("{plural}.{GROUP}");
    let change = json!({"spec": broken});
    objects::patch_merge(&stage.cluster, &definitions(), None, &name, &change)
        .await
        .unwrap();
}

pub(super) fn api_services() -> ResourceType {
    let group = "apiregistration.k8s.io";
    ResourceType::new(group, "v1", "APIService", "apiservices", false)
}

/// Registers an API whose Service has no endpoints, and waits until the API server says that it is down.
async fn break_aggregation(stage: &Stage, namespace: &str, name: &str) {
    create(
        stage,
        &core("Service", "services", true),
        &json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "nobody", "namespace": namespace},
            "spec": {"ports": [{"port": 443}]}}),
    )
    .await;
    create(
        stage,
        &api_services(),
        &json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": name},
            "spec": {"group": "down.example.com", "version": "v1", "insecureSkipTLSVerify": true,
                "groupPriorityMinimum": 100, "versionPriority": 100,
                "service": {"name": "nobody", "namespace": namespace}}}),
    )
    .await;
    let down = async {
        loop {
            let found = discover(&stage.cluster).await.unwrap();
            if found
                .broken
                .iter()
                .any(|one| one.group == "down.example.com")
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, down)
        .await
        .expect("the API server says that the API is down");
}

#[tokio::test(flavor = "multi_thread")]
async fn apis_that_are_down_are_findings_and_everything_else_is_taken() {
    let Some(stage) = Stage::new("down").await else {
        return;
    };
    let service = "v1.down.example.com";
    let types = [("Gadget", "gadgets", true), ("Gizmo", "gizmos", false)];
    remove(&stage, &api_services(), service).await;
    for (_, plural, _) in types {
        undefine(&stage, plural).await;
    }
    let place = empty_namespace(&stage, "strongroom-down").await;
    let namespace = place.namespace.as_str();
    for (kind, plural, v1_served) in types {
        define(&stage, &definition(kind, plural, true)).await;
        let stored = custom("v1", kind, plural);
        create(
            &stage,
            &stored,
            &json!({"apiVersion": stored.api_version(), "kind": kind,
                "metadata": {"name": "one", "namespace": namespace}, "spec": {"kept": "x"}}),
        )
        .await;
        break_conversion(&stage, kind, plural, v1_served).await;
    }
    let gone = custom("v2", "Gizmo", "gizmos");
    let fails = async {
        while objects::get(&stage.cluster, &gone, Some(namespace), "one")
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, fails)
        .await
        .expect("the conversion fails");
    break_aggregation(&stage, namespace, service).await;

    let backup = stage.backup_of(&[namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let lines = stage.report(backup.job_id, &status).await;
    // What is in the way of the namespace's end goes first, whatever comes of the assertions.
    remove(&stage, &api_services(), service).await;
    for (_, plural, _) in types {
        undefine(&stage, plural).await;
    }
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{lines:#?}");
    let findings: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    let gizmos = line(&lines, "bad.example.com/Gizmo *");
    assert_eq!(gizmos.code.as_deref(), Some("ApiGroupUnavailable"));
    assert!(gizmos.reason.contains("conversion webhook"), "{gizmos:?}");
    assert!(gizmos.reason.contains("refused"), "{gizmos:?}");
    let down = findings
        .iter()
        .find(|line| line.object.group == "down.example.com");
    let down = down.expect("the aggregated API is a finding");
    assert_eq!(down.code.as_deref(), Some("ApiGroupUnavailable"));
    assert!(down.reason.contains("does not answer"), "{down:?}");
    // A type whose storage version is served needs no conversion.
    for taken in [
        "bad.example.com/Gadget strongroom-down/one",
        "Service strongroom-down/nobody",
        "ServiceAccount strongroom-down/default",
    ] {
        assert_eq!(line(&lines, taken).outcome, Outcome::BackedUp, "{taken}");
    }
}

/// Objects at the limits of what the API server takes.
fn extremes(namespace: &str) -> Vec<(ResourceType, Value)> {
    let maps = || core("ConfigMap", "configmaps", true);
    let labels: BTreeMap<String, String> = (0..10_000)
        .map(|number| (format!("label-{number}"), format!("value-{number}")))
        .collect();
    let large = custom("v1", "Boulder", "boulders");
    let mut all = vec![
        (
            maps(),
            json!({"metadata": {"name": "large"},
                "data": {"text": "ü\u{1F512}\"\\\u{7f}x".repeat(900 * 1024 / 10)}}),
        ),
        (
            large,
            json!({"metadata": {"name": "large"}, "spec": {"kept": "x".repeat(1_200 * 1024)}}),
        ),
        (
            maps(),
            json!({"metadata": {"name": "labelled", "labels": labels}}),
        ),
        (maps(), json!({"metadata": {"name": "n".repeat(253)}})),
        (
            core("Secret", "secrets", true),
            json!({"metadata": {"name": "s".repeat(253)}, "data": {"noText": "//79/P/AwIA="}}),
        ),
    ];
    for (resource, object) in &mut all {
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(resource.kind);
        object["metadata"]["namespace"] = json!(namespace);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_extreme_size_and_shape_come_back_equal() {
    let Some(stage) = Stage::new("extremes").await else {
        return;
    };
    undefine(&stage, "boulders").await;
    let place = empty_namespace(&stage, "strongroom-extremes").await;
    define(&stage, &definition("Boulder", "boulders", false)).await;
    let all = extremes(&place.namespace);
    for (resource, object) in &all {
        create(&stage, resource, object).await;
    }
    let read = async || {
        let mut found = Vec::new();
        for (resource, object) in &all {
            let name = object["metadata"]["name"].as_str().unwrap();
            found.push(get(&stage, resource, &place.namespace, name).await);
        }
        found
    };
    let before = read().await;
    let backup = stage.backup_of(&[&place.namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    for (resource, object) in &all {
        let name = object["metadata"]["name"].as_str().unwrap();
        delete(&stage, resource, &place.namespace, name).await;
    }
    restore_cleanly(&stage, &stage.restore_of(&backup)).await;
    assert_equal(&before, &read().await);
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
    undefine(&stage, "boulders").await;
}
