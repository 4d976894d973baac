//! Namespace mapping: each kind of reference, swaps, and that nothing else is touched.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn shop_to_copy() -> BTreeMap<String, String> {
    BTreeMap::from([("shop".to_owned(), "copy".to_owned())])
}

/// Maps an object and gives the pointers changed, each with its new value.
fn mapped(group: &str, kind: &str, namespaced: bool, mut object: Value) -> String {
    let resource = ResourceType::new(group, "v1", kind, "", namespaced);
    let changed = map_namespaces(&resource, &mut object, &shop_to_copy());
    changed
        .iter()
        .map(|p| format!("{p} = {}", object.pointer(p).unwrap()))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_object_moves_with_its_namespace_and_a_namespace_is_renamed() {
    insta::assert_snapshot!(
        mapped("", "ConfigMap", true, json!({"metadata": {"name": "a", "namespace": "shop"}, "data": {"ns": "shop"}})),
        @r#"/metadata/namespace = "copy""#
    );
    insta::assert_snapshot!(
        mapped("", "Namespace", false, json!({"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop", "team": "shop"}}})),
        @r#"
    /metadata/name = "copy"
    /metadata/labels/kubernetes.io~1metadata.name = "copy"
    "#
    );
}

#[test]
fn subjects_of_bindings_follow() {
    let binding = json!({"metadata": {"name": "b"}, "subjects": [
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "ServiceAccount", "name": "web", "namespace": "other"},
        {"kind": "User", "name": "system:serviceaccount:shop:web"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "Group", "name": "shop"},
    ]});
    insta::assert_snapshot!(mapped("rbac.authorization.k8s.io", "ClusterRoleBinding", false, binding), @r#"
    /subjects/0/namespace = "copy"
    /subjects/2/name = "system:serviceaccount:copy:web"
    /subjects/3/name = "system:serviceaccounts:copy"
    "#);
}

#[test]
fn services_behind_webhooks_api_services_and_conversions_follow() {
    let service = json!({"service": {"name": "hook", "namespace": "shop"}, "caBundle": "eA=="});
    let selector = json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "x"]},
        {"key": "team", "operator": "In", "values": ["shop"]},
    ]});
    let hooks = json!({"metadata": {"name": "h"}, "webhooks": [{"clientConfig": service, "namespaceSelector": selector}]});
    insta::assert_snapshot!(mapped("admissionregistration.k8s.io", "MutatingWebhookConfiguration", false, hooks), @r#"
    /webhooks/0/clientConfig/service/namespace = "copy"
    /webhooks/0/namespaceSelector/matchExpressions/0/values/0 = "copy"
    "#);
    let api = json!({"spec": {"service": {"name": "a", "namespace": "shop"}}});
    insta::assert_snapshot!(mapped("apiregistration.k8s.io", "APIService", false, api), @r#"/spec/service/namespace = "copy""#);
    let crd = json!({"spec": {"conversion": {"webhook": {"clientConfig": service}}}});
    insta::assert_snapshot!(
        mapped("apiextensions.k8s.io", "CustomResourceDefinition", false, crd),
        @r#"/spec/conversion/webhook/clientConfig/service/namespace = "copy""#
    );
}

#[test]
fn claims_policies_and_affinities_follow() {
    let volume = json!({"spec": {"claimRef": {"name": "data", "namespace": "shop"}, "csi": {"nodeStageSecretRef": {"namespace": "shop"}}}});
    insta::assert_snapshot!(mapped("", "PersistentVolume", false, volume), @r#"
    /spec/claimRef/namespace = "copy"
    /spec/csi/nodeStageSecretRef/namespace = "copy"
    "#);
    let by_name =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}});
    let policy = json!({"metadata": {"namespace": "shop"}, "spec": {"ingress": [{"from": [by_name]}], "egress": [{"to": [{"podSelector": {}}, by_name]}]}});
    insta::assert_snapshot!(mapped("networking.k8s.io", "NetworkPolicy", true, policy), @r#"
    /metadata/namespace = "copy"
    /spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name = "copy"
    /spec/egress/0/to/1/namespaceSelector/matchLabels/kubernetes.io~1metadata.name = "copy"
    "#);
    let term = json!({"namespaces": ["shop", "x"], "topologyKey": "host"});
    let deployment = json!({"spec": {"template": {"spec": {"affinity": {"podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [term],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}],
    }}}}}});
    insta::assert_snapshot!(mapped("apps", "Deployment", true, deployment), @r#"
    /spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/namespaces/0 = "copy"
    /spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/namespaces/0 = "copy"
    "#);
}

#[test]
fn secrets_of_classes_and_targets_of_endpoints_follow() {
    let class = json!({"parameters": {"csi.storage.k8s.io/node-stage-secret-namespace": "shop", "pool": "shop"}});
    insta::assert_snapshot!(
        mapped("storage.k8s.io", "StorageClass", false, class),
        @r#"/parameters/csi.storage.k8s.io~1node-stage-secret-namespace = "copy""#
    );
    let slice = json!({"metadata": {"namespace": "shop"}, "endpoints": [{"targetRef": {"kind": "Pod", "name": "p", "namespace": "shop"}}]});
    insta::assert_snapshot!(mapped("discovery.k8s.io", "EndpointSlice", true, slice), @r#"
    /metadata/namespace = "copy"
    /endpoints/0/targetRef/namespace = "copy"
    "#);
}

#[test]
fn routes_that_cross_namespaces_follow() {
    let rule = json!({"backendRefs": [{"name": "web", "namespace": "shop"}, {"name": "x", "namespace": "other"}],
        "filters": [{"requestMirror": {"backendRef": {"name": "m", "namespace": "shop"}}}]});
    let route =
        json!({"spec": {"parentRefs": [{"name": "gate", "namespace": "shop"}], "rules": [rule]}});
    insta::assert_snapshot!(mapped("gateway.networking.k8s.io", "HTTPRoute", true, route), @r#"
    /spec/parentRefs/0/namespace = "copy"
    /spec/rules/0/backendRefs/0/namespace = "copy"
    /spec/rules/0/filters/0/requestMirror/backendRef/namespace = "copy"
    "#);
    let grant = json!({"spec": {"from": [{"group": "", "kind": "Service", "namespace": "shop"}], "to": [{"kind": "Secret"}]}});
    insta::assert_snapshot!(
        mapped("gateway.networking.k8s.io", "ReferenceGrant", true, grant),
        @r#"/spec/from/0/namespace = "copy""#
    );
}

#[test]
fn object_references_of_custom_resources_follow_and_what_is_only_called_namespace_does_not() {
    let spec = json!({
        "secretRef": {"name": "s", "namespace": "shop"},
        "store": {"auth": [{"tokenSecretRef": {"name": "t", "namespace": "shop"}}]},
        "peerRefs": [{"name": "p", "namespace": "shop"}, {"name": "q"}],
        "namespace": "shop", "tenant": {"name": "shop", "namespace": "shop"}, "hrefs": ["shop"],
        "onlyRef": {"namespace": "shop"},
    });
    let object = json!({"metadata": {"namespace": "shop"}, "spec": spec, "status": {"lastRef": {"name": "a", "namespace": "shop"}}});
    let mut changed: Vec<String> = mapped("example.com", "Widget", true, object)
        .lines()
        .map(str::to_owned)
        .collect();
    changed.sort();
    insta::assert_snapshot!(changed.join("\n"), @r#"
    /metadata/namespace = "copy"
    /spec/peerRefs/0/namespace = "copy"
    /spec/secretRef/namespace = "copy"
    /spec/store/auth/0/tokenSecretRef/namespace = "copy"
    "#);
}

#[test]
fn swapped_namespaces_are_swapped_once() {
    let resource = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    let swap = BTreeMap::from([
        ("a".to_owned(), "b".to_owned()),
        ("b".to_owned(), "a".to_owned()),
    ]);
    let mut object =
        json!({"metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}}});
    map_namespaces(&resource, &mut object, &swap);
    assert_eq!(
        object,
        json!({"metadata": {"name": "b", "labels": {"kubernetes.io/metadata.name": "b"}}})
    );
    assert_eq!((target("a", &swap), target("c", &swap)), ("b", "c"));
}

proptest! {
    #[test]
    fn mapping_there_and_back_changes_nothing(names in prop::collection::vec("[a-c]", 0..6)) {
        let subjects: Vec<Value> = names.iter().map(|n| json!({"kind": "ServiceAccount", "name": "x", "namespace": n})).collect();
        let original = json!({"metadata": {"name": "r", "namespace": "a"}, "subjects": subjects});
        let resource = ResourceType::new("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true);
        let there = BTreeMap::from([("a".to_owned(), "x".to_owned()), ("b".to_owned(), "y".to_owned())]);
        let back = there.iter().map(|(k, v)| (v.clone(), k.clone())).collect();
        let mut object = original.clone();
        let changed = map_namespaces(&resource, &mut object, &there);
        prop_assert_eq!(map_namespaces(&resource, &mut object, &back), changed);
        prop_assert_eq!(object, original);
    }
}
