//! What needs what, as tables of sentences.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::ObjectRef;

fn kind(group: &str, kind: &str, namespaced: bool) -> ResourceType {
    let plural = format!("{}s", kind.to_lowercase());
    ResourceType::new(group, "v1", kind, &plural, namespaced)
}

fn targets() -> Vec<ResourceType> {
    let custom = kind("example.com", "Fleet", false);
    let built_in = TARGETS.iter().map(|(group, name)| kind(group, name, false));
    built_in.chain([custom]).collect()
}

fn object(resource: &ResourceType, name: &str, mut content: Value) -> (ObjectFacts, Value) {
    content["metadata"]["name"] = json!(name);
    if resource.namespaced {
        content["metadata"]["namespace"] = json!("shop");
    }
    (ObjectFacts::of(resource, &content), content)
}

fn learnt(objects: &[(&ResourceType, &str, Value)]) -> Needs {
    let mut needs = Needs::among(&targets());
    for (resource, name, content) in objects {
        let (facts, content) = object(resource, name, content.clone());
        needs.learn(resource, &facts, &content);
    }
    needs
}

fn why(needs: &Needs, of: Kind, name: &str, content: Value) -> Option<String> {
    let resource = kind(of.0, of.1, false);
    let (facts, content) = object(&resource, name, content);
    let (decision, why) = needs.decide(&resource, &facts, &content);
    assert!(!why.is_empty());
    decision.included.then_some(why)
}

/// An object with a value at the end of a row's way.
fn with_field(field: &[&str], value: &str) -> Value {
    field
        .iter()
        .rev()
        .fold(json!(value), |inner, part| match *part {
            "*" => json!([inner]),
            part => json!({ (part): inner }),
        })
}

#[test]
fn every_row_of_the_table_makes_what_it_names_needed_and_says_who_needs_it() {
    for row in ROWS {
        let resource = kind(row.of.0, row.of.1, !TARGETS.contains(&row.of));
        let needs = learnt(&[(&resource, "x", with_field(row.field, "wanted"))]);
        let because = why(&needs, row.names, "wanted", json!({})).expect(row.source);
        assert!(because.contains(row.of.1), "{because}");
        assert_eq!(
            why(&needs, row.names, "other", json!({})),
            None,
            "{}",
            row.source
        );
    }
}

#[test]
fn pods_and_every_template_of_pods_need_their_classes() {
    for ((group, name), spec) in POD_SPECS {
        for row in POD_ROWS {
            let resource = kind(group, name, true);
            let field = [*spec, row.field].concat();
            let needs = learnt(&[(&resource, "x", with_field(&field, "wanted"))]);
            assert!(
                why(&needs, row.names, "wanted", json!({})).is_some(),
                "{name} {}",
                row.source
            );
        }
    }
    let stateful = kind("apps", "StatefulSet", true);
    let urgent = json!({"spec": {"template": {"spec": {"priorityClassName": "urgent"}}}});
    let needs = learnt(&[(&stateful, "db", urgent)]);
    insta::assert_snapshot!(
        why(&needs, table::PRIORITY_CLASS, "urgent", json!({})).unwrap(),
        @"apps/StatefulSet shop/db names it in spec.template.spec.priorityClassName"
    );
}

#[test]
fn every_row_has_its_source_and_names_a_type_that_is_read_on_need() {
    let rows = ROWS.iter().map(|row| (row.names, row.source));
    for (names, source) in rows.chain(POD_ROWS.iter().map(|row| (row.names, row.source))) {
        assert!(source.starts_with("https://"), "{source}");
        assert!(is_ever_needed(&kind(names.0, names.1, false)), "{names:?}");
    }
}

#[test]
fn the_runs_of_types_that_need_others_come_before_theirs_and_all_behind_the_rest() {
    let name = |(group, name): Kind| run_name(&kind(group, name, false), true);
    for row in ROWS {
        if TARGETS.contains(&row.of) {
            assert!(name(row.of) < name(row.names), "{}", row.source);
        }
    }
    for target in TARGETS {
        assert!(name(*target).as_str() > "zzz.example.com");
        let resource = kind(target.0, target.1, false);
        assert!(
            !resource.is_custom() || name(*target) < name(DEFINITION),
            "{target:?}"
        );
        assert_eq!(run_name(&resource, false), resource.resource());
    }
    assert!(run_name(&kind("example.com", "Fleet", false), true) < name(DEFINITION));
}

#[test]
fn a_volume_is_needed_by_the_claim_that_it_is_bound_to_or_reserved_for() {
    let claims = kind("", "PersistentVolumeClaim", true);
    let needs = learnt(&[
        (
            &claims,
            "bound",
            json!({"spec": {"volumeName": "pv-1", "storageClassName": "fast"}}),
        ),
        (&claims, "waiting", json!({"spec": {}})),
    ]);
    let reserved = |name: &str| json!({"spec": {"claimRef": {"namespace": "shop", "name": name}}});
    assert!(why(&needs, VOLUME, "pv-1", reserved("bound")).is_some());
    assert!(
        why(&needs, VOLUME, "pv-2", reserved("waiting"))
            .unwrap()
            .contains("shop/waiting")
    );
    assert_eq!(why(&needs, VOLUME, "pv-3", reserved("gone")), None);
    assert_eq!(why(&needs, VOLUME, "pv-4", json!({"spec": {}})), None);
}

#[test]
fn a_custom_resource_needs_its_definition_and_an_owner_of_the_clusters_scope() {
    let widgets = kind("example.com", "Widget", true);
    let owned = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "main", "uid": "1"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "main", "uid": "2"}]}});
    let needs = learnt(&[(&widgets, "a", owned)]);
    assert!(why(&needs, DEFINITION, "widgets.example.com", json!({})).is_some());
    assert!(why(&needs, API_SERVICE, "v1.example.com", json!({})).is_some());
    assert_eq!(
        why(&needs, DEFINITION, "fleets.example.com", json!({})),
        None
    );
    assert!(why(&needs, ("example.com", "Fleet"), "main", json!({})).is_some());
    assert_eq!(
        needs.kept, 4,
        "the namespace as well, but no owner in a namespace"
    );
    assert!(!needs.wants(&kind("storage.k8s.io", "StorageClass", false)));
}

#[test]
fn a_binding_is_needed_by_the_service_accounts_of_a_taken_namespace_in_every_form() {
    let maps = kind("", "ConfigMap", true);
    let needs = learnt(&[(&maps, "a", json!({}))]);
    let binding = |subject: Value| {
        why(
            &needs,
            CLUSTER_ROLE_BINDING,
            "b",
            json!({"subjects": [{"kind": "User", "name": "ann"}, subject]}),
        )
    };
    for subject in [
        json!({"kind": "ServiceAccount", "namespace": "shop", "name": "web"}),
        json!({"kind": "Group", "name": "system:serviceaccounts:shop"}),
        json!({"kind": "User", "name": "system:serviceaccount:shop:web"}),
    ] {
        assert!(
            binding(subject.clone()).unwrap().contains("shop"),
            "{subject}"
        );
    }
    for subject in [
        json!({"kind": "ServiceAccount", "namespace": "other", "name": "web"}),
        json!({"kind": "Group", "name": "system:serviceaccounts"}),
        json!({"kind": "User", "name": "shop"}),
        json!({"kind": "ServiceAccount", "namespace": "kube-system", "name": "web"}),
    ] {
        assert_eq!(binding(subject.clone()), None, "{subject}");
    }
    assert!(!learnt(&[]).wants(&kind(CLUSTER_ROLE_BINDING.0, CLUSTER_ROLE_BINDING.1, false)));
}

#[test]
fn the_parts_of_an_aggregated_role_are_needed_with_it_through_every_level() {
    let bindings = kind("rbac.authorization.k8s.io", "RoleBinding", true);
    let bound = json!({"roleRef": {"kind": "ClusterRole", "name": "whole"}});
    let mut needs = learnt(&[(&bindings, "b", bound)]);
    let roles = kind("rbac.authorization.k8s.io", "ClusterRole", false);
    assert!(needs.wants_survey(&roles));
    let role = |labels: Value, aggregates: Value| json!({"metadata": {"labels": labels}, "aggregationRule": {"clusterRoleSelectors": aggregates}});
    let all = [
        (
            "whole",
            role(json!({}), json!([{"matchLabels": {"to": "whole"}}])),
        ),
        (
            "a-part",
            role(
                json!({"to": "whole"}),
                json!([{"matchExpressions": [
            {"key": "deep", "operator": "In", "values": ["1", "2"]}, {"key": "not", "operator": "DoesNotExist"}]}]),
            ),
        ),
        ("deep", role(json!({"deep": "2"}), json!([]))),
        (
            "deep-not",
            role(json!({"deep": "2", "not": "x"}), json!([])),
        ),
        (
            "unrelated",
            role(json!({}), json!([{"matchLabels": {"of": "unrelated"}}])),
        ),
        ("of-unrelated", role(json!({"of": "unrelated"}), json!([]))),
    ];
    for (name, content) in &all {
        let (facts, content) = object(&roles, name, content.clone());
        needs.survey(&roles, &facts, &content);
    }
    needs.surveyed();
    let taken: Vec<&str> = all
        .iter()
        .filter(|(name, content)| why(&needs, CLUSTER_ROLE, name, content.clone()).is_some())
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(taken, ["whole", "a-part", "deep"]);
}

#[test]
fn a_role_binding_to_a_role_of_its_namespace_needs_no_cluster_role() {
    let bindings = kind("rbac.authorization.k8s.io", "RoleBinding", true);
    let needs = learnt(&[(
        &bindings,
        "b",
        json!({"roleRef": {"kind": "Role", "name": "r"}}),
    )]);
    assert_eq!(why(&needs, CLUSTER_ROLE, "r", json!({})), None);
}

#[test]
fn beyond_what_is_kept_in_mind_all_of_a_type_is_taken_and_the_type_is_told() {
    let claims = kind("", "PersistentVolumeClaim", true);
    let mut needs = Needs::among(&targets());
    for n in 0..=NEEDED_NAMES_MAX {
        let content = json!({"spec": {"volumeName": format!("pv-{n}")}});
        let (facts, content) = object(&claims, &format!("c-{n}"), content);
        needs.learn(&claims, &facts, &content);
    }
    assert_eq!(needs.kept, NEEDED_NAMES_MAX);
    assert_eq!(needs.overflowed().collect::<Vec<_>>(), [VOLUME]);
    assert!(
        why(&needs, VOLUME, "pv-any", json!({}))
            .unwrap()
            .contains("20000")
    );
    assert_eq!(why(&needs, table::STORAGE_CLASS, "any", json!({})), None);
}

proptest! {
    #[test]
    fn whatever_an_object_holds_learning_from_it_never_panics(text in "\\PC{0,60}", pick in 0..ROWS.len()) {
        let row = &ROWS[pick];
        let resource = kind(row.of.0, row.of.1, true);
        let content = serde_json::from_str(&text).unwrap_or_else(|_| with_field(&row.field[1..], &text));
        let facts = ObjectFacts { object: ObjectRef::new(&resource, Some("shop"), "x"), ..ObjectFacts::of(&resource, &json!({})) };
        let mut needs = Needs::among(&targets());
        needs.learn(&resource, &facts, &content);
        needs.survey(&kind(CLUSTER_ROLE.0, CLUSTER_ROLE.1, false), &facts, &content);
    }
}
