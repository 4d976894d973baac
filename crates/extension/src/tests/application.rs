//! The application that scenarios protect: namespace `shop` with a dozen objects, a custom resource
//! with a status among them, and owners that come later than what they own.

use serde_json::{Value, json};
use strongroom_core::equality::{Comparison, differences};
use strongroom_simulation::api_server::ApiServer;

use super::stage::name_of;

/// Kinds that the application has objects of, in namespace `shop`.
const KINDS: &[&str] = &[
    "configmaps",
    "secrets",
    "services",
    "serviceaccounts",
    "deployments.apps",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "widgets.example.com",
];

pub(super) fn widget_definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

/// Makes the application in a namespace.
pub(super) fn deploy(api: &ApiServer, namespace: &str) {
    if api
        .get(
            "customresourcedefinitions.apiextensions.k8s.io",
            None,
            "widgets.example.com",
        )
        .is_none()
    {
        api.create(&widget_definition());
    }
    api.create(&json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"team": "sales"}}}));
    let object = |api_version: &str, kind: &str, name: &str, rest: Value| {
        create(api, namespace, (api_version, kind, name), &rest)
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    object("v1", "ServiceAccount", "web", json!({}));
    object(
        "v1",
        "ConfigMap",
        "settings",
        json!({"data": {"greeting": "hello"}}),
    );
    object(
        "v1",
        "Secret",
        "password",
        json!({"type": "Opaque", "data": {"p": "aHVudGVyMg=="}}),
    );
    object(
        "v1",
        "Service",
        "web",
        json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    object(
        "apps/v1",
        "Deployment",
        "web",
        json!({"spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"serviceAccountName": "web", "containers": [{"name": "web", "image": "web:1"}]}}}}),
    );
    object(
        rbac,
        "Role",
        "reader",
        json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    );
    object(
        rbac,
        "RoleBinding",
        "reader",
        json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": namespace}]}),
    );
    deploy_widget(api, namespace);
}

/// A custom resource with a status, and what it owns.
fn deploy_widget(api: &ApiServer, namespace: &str) {
    let object = |api_version: &str, kind: &str, name: &str, rest: Value| {
        create(api, namespace, (api_version, kind, name), &rest)
    };
    let widget = object(
        "example.com/v1",
        "Widget",
        "gear",
        json!({"spec": {"teeth": 12}}),
    );
    object(
        "v1",
        "ConfigMap",
        "of-gear",
        json!({"metadata": {"ownerReferences": [{
        "apiVersion": "example.com/v1", "kind": "Widget", "name": "gear", "uid": widget["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true}]}}),
    );
    let mut with_status = widget.clone();
    with_status["status"] = json!({"phase": "Turning", "turns": 7});
    api.replace_status(&with_status);
}

/// Creates one object in a namespace; `rest` is merged into it.
fn create(
    api: &ApiServer,
    namespace: &str,
    (api_version, kind, name): (&str, &str, &str),
    rest: &Value,
) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace}});
    for (field, value) in rest.as_object().into_iter().flatten() {
        match (field.as_str(), value) {
            ("metadata", Value::Object(more)) => {
                for (field, value) in more {
                    object["metadata"][field] = value.clone();
                }
            }
            _ => object[field] = value.clone(),
        }
    }
    api.create(&object)
}

/// Everything of the application in a namespace.
pub(super) fn objects(api: &ApiServer, namespace: &str) -> Vec<Value> {
    KINDS
        .iter()
        .flat_map(|kind| api.list(kind))
        .filter(|object| object["metadata"]["namespace"] == namespace)
        .collect()
}

/// That the application is as it was.
pub(super) fn assert_equal(before: &[Value], after: &[Value]) {
    let names = |objects: &[Value]| objects.iter().map(name_of).collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (before, after) in before.iter().zip(after) {
        let differences = differences(before, after, &Comparison::proof());
        assert!(
            differences.is_empty(),
            "{}: {differences:#?}",
            name_of(before)
        );
    }
}
