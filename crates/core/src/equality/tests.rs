//! Equality: what counts, what does not, and that every difference is named.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn shown_differences(before: &Value, after: &Value, comparison: &Comparison) -> String {
    differences(before, after, comparison)
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": "t1", "labels": {"app": "web"}, "managedFields": [{"manager": "a"}]},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
        "status": {"readyReplicas": 2}})
}

#[test]
fn a_restored_object_equals_itself_although_the_cluster_assigned_everything_anew() {
    let mut after = deployment();
    for (field, value) in [
        ("uid", json!("u2")),
        ("resourceVersion", json!("9")),
        ("generation", json!(4)),
        ("creationTimestamp", json!("t2")),
        ("managedFields", json!([])),
    ] {
        after["metadata"][field] = value;
    }
    after["status"] = json!({"readyReplicas": 0});
    after["metadata"]["annotations"] = json!({});
    assert_eq!(differences(&deployment(), &after, &Comparison::proof()), []);
}

#[test]
fn every_place_that_differs_is_named_with_both_values() {
    let mut after = deployment();
    after["spec"]["replicas"] = json!(3);
    after["metadata"]["labels"] = json!({"tier": "x"});
    after["spec"]["template"]["spec"]["containers"][0]["image"] = json!("i:2");
    after["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "sidecar"}));
    insta::assert_snapshot!(shown_differences(&deployment(), &after, &Comparison::proof()), @r#"
    /metadata/labels/app: "web" → nothing
    /metadata/labels/tier: nothing → "x"
    /spec/replicas: 2 → 3
    /spec/template/spec/containers/0/image: "i:1" → "i:2"
    /spec/template/spec/containers/1: nothing → {"name":"sidecar"}
    "#);
    insta::assert_snapshot!(shown_differences(&deployment(), &after, &Comparison::for_patch()), @r#"
    /metadata/labels/app: "web" → nothing
    /spec/replicas: 2 → 3
    /spec/template/spec/containers/0/image: "i:1" → "i:2"
    /spec/template/spec/containers/1: nothing → {"name":"sidecar"}
    "#);
}

#[test]
fn addresses_count_in_a_proof_but_not_for_a_patch_and_headless_always_counts() {
    let service = |ip: &str, port: u16| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80, "nodePort": port}]}})
    };
    let (a, b) = (service("10.0.0.1", 30001), service("10.0.0.2", 30002));
    assert_eq!(differences(&a, &b, &Comparison::proof()).len(), 3);
    assert_eq!(differences(&a, &b, &Comparison::for_patch()), []);
    assert!(!differences(&service("None", 0), &a, &Comparison::for_patch()).is_empty());
}

#[test]
fn owners_count_by_kind_and_name_in_a_proof() {
    let owned = |uid: &str, name: &str| {
        let mut object = deployment();
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "X", "name": name, "uid": uid}]);
        object
    };
    assert_eq!(
        differences(&owned("1", "a"), &owned("2", "a"), &Comparison::proof()),
        []
    );
    assert_eq!(
        differences(&owned("1", "a"), &owned("1", "b"), &Comparison::proof()).len(),
        1
    );
    assert_eq!(
        differences(&owned("1", "a"), &deployment(), &Comparison::proof()).len(),
        1
    );
    assert_eq!(
        differences(&deployment(), &owned("1", "a"), &Comparison::for_patch()),
        []
    );
}

#[test]
fn the_status_counts_for_custom_resources_in_a_proof_only() {
    let widget = |ready: bool| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "status": {"ready": ready}});
    assert_eq!(
        differences(&widget(true), &widget(false), &Comparison::proof()).len(),
        1
    );
    assert_eq!(
        differences(&widget(true), &widget(false), &Comparison::for_patch()),
        []
    );
}

#[test]
fn numbers_are_compared_as_they_are_written_however_large() {
    let object = |n: &str| {
        serde_json::from_str::<Value>(&format!(
            r#"{{"apiVersion":"example.com/v1","kind":"W","spec":{{"n":{n}}}}}"#
        ))
        .unwrap()
    };
    assert_eq!(
        differences(
            &object("9223372036854775807"),
            &object("9223372036854775806"),
            &Comparison::proof()
        )
        .len(),
        1
    );
    assert_eq!(
        differences(&object("0.1"), &object("0.1"), &Comparison::proof()),
        []
    );
}

#[test]
fn what_is_prepared_for_a_restore_equals_what_was_stored() {
    let mut desired = deployment();
    let resource = crate::ResourceType::new("apps", "v1", "Deployment", "deployments", true);
    crate::restore::prepare::prepare(&resource, &mut desired);
    assert_eq!(
        differences(&desired, &deployment(), &Comparison::proof()),
        []
    );
}

proptest! {
    #[test]
    fn an_object_equals_itself_and_one_change_is_one_difference(
        data in prop::collection::btree_map("[a-z/~]{1,6}", "[a-z]{0,6}", 1..6), pick in any::<prop::sample::Index>()
    ) {
        let before = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data});
        prop_assert_eq!(differences(&before, &before, &Comparison::proof()), []);
        let key = data.keys().nth(pick.index(data.len())).unwrap();
        let mut after = before.clone();
        after["data"][key] = json!("CHANGED");
        let found = differences(&before, &after, &Comparison::proof());
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(before.pointer(&found[0].pointer), found[0].before.as_ref());
        let added = found.iter().all(|d| d.after == Some(json!("CHANGED")));
        prop_assert!(added);
    }
}

#[test]
fn a_finalizer_more_does_not_count_against_a_patch_but_one_less_does() {
    let with = |finalizers: &[&str]| json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv", "finalizers": finalizers}});
    let (few, more) = (
        with(&["kubernetes.io/pv-protection"]),
        with(&["external-attacher/csi", "kubernetes.io/pv-protection"]),
    );
    assert!(differences(&few, &more, &Comparison::for_patch()).is_empty());
    assert!(!differences(&more, &few, &Comparison::for_patch()).is_empty());
    assert!(!differences(&few, &more, &Comparison::proof()).is_empty());
}
