//! Discovery against an API server in memory.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Asked, cluster};

fn resource(plural: &str, kind: &str, scope: &str, verbs: &[&str]) -> Value {
    json!({
        "resource": plural, "scope": scope, "verbs": verbs, "singularResource": "",
        "responseKind": {"group": "", "version": "", "kind": kind},
        "subresources": [{"subresource": "status", "verbs": ["get"],
            "responseKind": {"kind": kind}}],
    })
}

const ALL: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];

fn aggregated(asked: &Asked) -> Answer {
    let list = |items: Value| {
        Answer::ok(&json!({"kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}))
    };
    assert!(asked.accept.contains("as=APIGroupDiscoveryList"));
    match asked.path.as_str() {
        "/api" => list(json!([{"metadata": {"name": ""}, "versions": [{
        "version": "v1", "freshness": "Current", "resources": [
            resource("configmaps", "ConfigMap", "Namespaced", ALL),
            resource("namespaces", "Namespace", "Cluster", ALL),
            resource("bindings", "Binding", "Namespaced", &["create"]),
        ]}]}])),
        "/apis" => list(json!([
            {"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "freshness": "Current", "resources": [
                    resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "Namespaced", ALL)]},
                {"version": "v1", "freshness": "Current", "resources": [
                    resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "Namespaced", ALL),
                    resource("olds", "Old", "Namespaced", ALL)]},
            ]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [
                {"version": "v1beta1", "freshness": "Stale", "resources": []}]},
        ])),
        other => panic!("unexpected {other}"),
    }
}

#[tokio::test]
async fn everything_is_known_after_two_requests() {
    let (cluster, log) = cluster(aggregated);
    let found = discover(&cluster).await.unwrap();
    let types: Vec<String> = found.types.iter().map(ToString::to_string).collect();
    assert_eq!(
        types,
        [
            "configmaps/v1",
            "namespaces/v1",
            "olds.autoscaling/v1",
            "horizontalpodautoscalers.autoscaling/v2"
        ]
    );
    assert_eq!(log.lines(), ["GET /api", "GET /apis"]);
    assert!(
        !found
            .preferred("", "Namespace")
            .unwrap()
            .resource
            .namespaced
    );
    assert_eq!(
        found.preferred("", "Namespace").unwrap().subresources,
        ["status"]
    );
}

#[tokio::test]
async fn every_served_version_is_known_the_preferred_one_first() {
    let (cluster, _) = cluster(aggregated);
    let found = discover(&cluster).await.unwrap();
    let kind = "HorizontalPodAutoscaler";
    assert_eq!(found.versions("autoscaling", kind), ["v2", "v1"]);
    assert_eq!(
        found
            .preferred("autoscaling", kind)
            .unwrap()
            .resource
            .version,
        "v2"
    );
    assert_eq!(
        found
            .served_as("autoscaling", "v1", kind)
            .unwrap()
            .resource
            .version,
        "v1"
    );
    assert!(found.served_as("autoscaling", "v2beta2", kind).is_none());
}

#[tokio::test]
async fn what_can_be_listed_but_in_no_version_be_read_is_named_and_not_among_the_types() {
    let (cluster, _) = cluster(|asked| match asked.path.as_str() {
        "/apis" => Answer::ok(&json!({"kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": [
            {"metadata": {"name": "example.com"}, "versions": [
                {"version": "v2", "freshness": "Current", "resources": [
                    resource("usages", "Usage", "Namespaced", &["list"]),
                    resource("reviews", "Review", "Namespaced", &["create"]),
                    resource("widgets", "Widget", "Namespaced", &["list"])]},
                {"version": "v1", "freshness": "Current", "resources": [
                    resource("usages", "Usage", "Namespaced", &["list", "watch"]),
                    resource("widgets", "Widget", "Namespaced", ALL)]}]}]})),
        _ => aggregated(asked),
    });
    let found = discover(&cluster).await.unwrap();
    let usages = ResourceType::new("example.com", "v2", "Usage", "usages", true);
    assert_eq!(found.listed_only(), [usages]);
    let widgets = found.types.iter().find(|one| one.kind == "Widget");
    assert_eq!(widgets.unwrap().version, "v1");
}

#[tokio::test]
async fn a_group_whose_server_is_down_is_told_and_the_rest_goes_on() {
    let (cluster, _) = cluster(aggregated);
    let found = discover(&cluster).await.unwrap();
    assert_eq!(found.broken.len(), 1);
    assert_eq!(
        (
            found.broken[0].group.as_str(),
            found.broken[0].version.as_str()
        ),
        ("metrics.k8s.io", "v1beta1")
    );
    assert_eq!(found.types.len(), 4);
}

fn legacy(asked: &Asked) -> Answer {
    let resource = |name: &str, kind: &str, verbs: &[&str]| json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": verbs});
    match asked.path.as_str() {
        "/api" => Answer::ok(&json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Answer::ok(&json!({"kind": "APIGroupList", "groups": [
            {"name": "apps", "versions": [{"groupVersion": "apps/v1beta1", "version": "v1beta1"},
                {"groupVersion": "apps/v1", "version": "v1"}],
             "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}},
            {"name": "metrics.k8s.io", "versions": [{"version": "v1beta1"}],
             "preferredVersion": {"version": "v1beta1"}},
        ]})),
        "/api/v1" => Answer::ok(&json!({"resources": [
            resource("configmaps", "ConfigMap", ALL),
            resource("pods/exec", "PodExecOptions", &["create", "get"]),
        ]})),
        "/apis/apps/v1" | "/apis/apps/v1beta1" => Answer::ok(&json!({"resources": [
            resource("deployments", "Deployment", ALL),
            resource("deployments/status", "Deployment", &["get", "patch", "update"]),
            resource("deployments/scale", "Scale", &["get", "patch", "update"]),
        ]})),
        "/apis/metrics.k8s.io/v1beta1" => Answer::raw(503, "service unavailable"),
        other => panic!("unexpected {other}"),
    }
}

#[tokio::test]
async fn an_old_server_is_asked_group_by_group() {
    let (cluster, _) = cluster(legacy);
    let found = discover(&cluster).await.unwrap();
    let types: Vec<String> = found.types.iter().map(ToString::to_string).collect();
    assert_eq!(types, ["configmaps/v1", "deployments.apps/v1"]);
    assert_eq!(found.versions("apps", "Deployment"), ["v1", "v1beta1"]);
    assert_eq!(
        found.preferred("apps", "Deployment").unwrap().subresources,
        ["status", "scale"]
    );
    assert_eq!(found.broken.len(), 1);
    assert!(found.broken[0].cause.contains("503"), "{:?}", found.broken);
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_an_error_and_not_an_empty_cluster() {
    let (cluster, _) = cluster(|_| Answer::failed(401, "Unauthorized", "Unauthorized"));
    let error = discover(&cluster).await.unwrap_err();
    assert!(
        matches!(error.failure, crate::Failure::Unauthorized { .. }),
        "{error}"
    );
}
