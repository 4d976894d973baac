//! Which namespaces, types and objects a selection takes, as tables of sentences.

use super::*;
use crate::object::ObjectFacts;
use proptest::prelude::*;
use serde_json::{Value, json};

fn kind(group: &str, kind: &str, plural: &str, namespaced: bool) -> ResourceType {
    ResourceType::new(group, "v1", kind, plural, namespaced)
}

fn deployments() -> ResourceType {
    kind("apps", "Deployment", "deployments", true)
}

fn secrets() -> ResourceType {
    kind("", "Secret", "secrets", true)
}

fn namespaces() -> ResourceType {
    kind("", "Namespace", "namespaces", false)
}

fn volumes() -> ResourceType {
    kind("", "PersistentVolume", "persistentvolumes", false)
}

fn object(resource: &ResourceType, namespace: &str, name: &str, labels: Value) -> ObjectFacts {
    let mut metadata = json!({"name": name, "labels": labels});
    if resource.namespaced {
        metadata["namespace"] = json!(namespace);
    }
    ObjectFacts::of(resource, &json!({ "metadata": metadata }))
}

fn selector(value: Value) -> Selector {
    serde_json::from_value::<Selection>(value)
        .unwrap()
        .compile()
        .unwrap()
}

fn rule(selector: &Selector, resource: &ResourceType, facts: &ObjectFacts) -> Rule {
    selector.decide(resource, facts).rule
}

#[test]
fn an_empty_configuration_takes_every_namespace_but_the_clusters_own() {
    let all = selector(json!({}));
    for (name, rule) in [
        ("shop", Rule::AllNamespaces),
        ("default", Rule::AllNamespaces),
        ("kube-system", Rule::SystemNamespace),
        ("kube-public", Rule::SystemNamespace),
        ("kube-node-lease", Rule::SystemNamespace),
        ("dataprotection-microsoft", Rule::OwnNamespace),
    ] {
        assert_eq!(all.decide_namespace(name).rule, rule, "{name}");
        let web = object(&deployments(), name, "web", json!({}));
        assert_eq!(all.decide(&deployments(), &web).rule, rule, "{name}");
        let itself = object(&namespaces(), "", name, json!({}));
        assert_eq!(all.decide(&namespaces(), &itself).rule, rule, "{name}");
    }
}

#[test]
fn nulls_of_an_sdk_mean_the_defaults() {
    let text = r#"{"objectType":"KubernetesClusterBackupDatasourceParameters","snapshotVolumes":true,
        "includedNamespaces":null,"excludedNamespaces":null,"includedResourceTypes":null,
        "excludedResourceTypes":null,"labelSelectors":null,"includeClusterScopeResources":true,
        "backupHookReferences":[{"name":"x","namespace":"y"}]}"#;
    let mut read: Selection = serde_json::from_str(text).unwrap();
    let hooks = std::mem::take(&mut read.backup_hook_references);
    assert_eq!(read, Selection::default());
    assert_eq!(hooks[0].to_string(), "y/x");
}

#[test]
fn a_selection_survives_json() {
    let selection = Selection {
        included_namespaces: Some(vec!["shop".into()]),
        label_selectors: vec!["env=prod;tier!=web".into()],
        include_secrets: false,
        ..Selection::default()
    };
    let text = serde_json::to_string(&selection).unwrap();
    insta::assert_snapshot!(text, @r#"{"includedNamespaces":["shop"],"excludedNamespaces":[],"includedResourceTypes":[],"excludedResourceTypes":[],"labelSelectors":["env=prod;tier!=web"],"includeClusterScopeResources":true,"includeSecrets":false,"snapshotVolumes":true}"#);
    assert_eq!(serde_json::from_str::<Selection>(&text).unwrap(), selection);
}

#[test]
fn namespaces_are_chosen_and_excluded_by_name() {
    let chosen = selector(
        json!({"includedNamespaces": ["shop", "kube-system"], "excludedNamespaces": ["test"]}),
    );
    assert_eq!(chosen.decide_namespace("shop").rule, Rule::NamespaceChosen);
    assert_eq!(
        chosen.decide_namespace("other").rule,
        Rule::NamespaceNotChosen
    );
    assert_eq!(
        chosen.decide_namespace("test").rule,
        Rule::NamespaceExcluded
    );
    assert_eq!(
        chosen.decide_namespace("kube-system").rule,
        Rule::SystemNamespace
    );
}

#[test]
fn every_form_of_a_type_filter_means_the_same_type() {
    for form in [
        "Deployment",
        "deployment",
        "deployments",
        "apps/Deployment",
        "APPS/deployments",
        "deployments.apps",
        "Deployment.apps",
        "apps/v1/Deployment",
        "*.apps",
        "apps/*",
        "*",
        "*/Deployment",
        "deployments.v1.apps",
        "Deployment.v1.apps",
        "deployments.*",
        "DEPLOYMENTS.Apps",
        "  deployments.apps ",
    ] {
        let filter: TypeFilter = form.parse().unwrap();
        assert!(filter.matches(&deployments()), "{form}");
    }
    for form in [
        "core/Deployment",
        "v1/Deployment",
        "/Deployment",
        "Deployment.extensions",
        "StatefulSet",
        "batch/*",
        "deployments.v1",
        "*.v1.batch",
    ] {
        let filter: TypeFilter = form.parse().unwrap();
        assert!(!filter.matches(&deployments()), "{form}");
    }
    for form in ["Secret", "secrets", "core/Secret", "v1/Secret", "/secrets"] {
        assert!(
            form.parse::<TypeFilter>().unwrap().matches(&secrets()),
            "{form}"
        );
    }
    let widgets = kind("example.com", "Widget", "widgets", true);
    for form in ["pods.v1", "pods.v1.", "Pod.v1"] {
        let filter: TypeFilter = form.parse().unwrap();
        assert!(filter.matches(&kind("", "Pod", "pods", true)), "{form}");
    }
    for form in [
        "widgets.v1.example.com",
        "widgets.v1beta1.example.com",
        "*.example.com",
        "*.v1.example.com",
        "widgets.example.com",
        "example.com/Widget",
        "Widget",
    ] {
        assert!(
            form.parse::<TypeFilter>().unwrap().matches(&widgets),
            "{form}"
        );
    }
}

#[test]
fn short_names_are_those_of_built_in_types_alone() {
    for (form, resource) in [
        ("deploy", deployments()),
        ("DEPLOY.apps", deployments()),
        ("pv", volumes()),
        ("ns", namespaces()),
        ("po", kind("", "Pod", "pods", true)),
    ] {
        assert!(
            form.parse::<TypeFilter>().unwrap().matches(&resource),
            "{form}"
        );
    }
    let other = kind("example.com", "Deployment", "deployments", true);
    assert!(!"deploy".parse::<TypeFilter>().unwrap().matches(&other));
}

#[test]
fn what_is_no_type_is_refused() {
    for form in [
        "",
        " ",
        "a b",
        "a//b",
        "a/b/c/d",
        "deployments.",
        ".apps",
        "a/b.c",
        "app*",
        "dep_loy",
        "apps/",
        "a..b/",
    ] {
        let refused = form.parse::<TypeFilter>();
        assert!(refused.is_err(), "{form:?}: {refused:?}");
    }
}

#[test]
fn types_are_chosen_and_excluded() {
    let chosen = selector(
        json!({"includedResourceTypes": ["deployments.apps", "Secret"], "excludedResourceTypes": ["Secret"]}),
    );
    assert_eq!(chosen.decide_type(&deployments()).rule, Rule::TypeTaken);
    assert_eq!(chosen.decide_type(&secrets()).rule, Rule::TypeExcluded);
    assert_eq!(chosen.decide_type(&volumes()).rule, Rule::TypeNotChosen);
    let unknown: Vec<String> = chosen
        .unmatched_types(&[deployments()])
        .map(ToString::to_string)
        .collect();
    assert_eq!(unknown, ["Secret", "Secret"]);
}

#[test]
fn switches_leave_secrets_and_the_clusters_scope_out_but_never_the_namespace_itself() {
    let narrow = selector(json!({"includeSecrets": false, "includeClusterScopeResources": false}));
    assert_eq!(
        narrow.decide_type(&secrets()).rule,
        Rule::SecretsSwitchedOff
    );
    let webhooks = kind(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        false,
    );
    assert_eq!(
        narrow.decide_type(&webhooks).rule,
        Rule::ClusterScopeSwitchedOff
    );
    assert!(narrow.decide_type(&namespaces()).included);
    let shop = object(&namespaces(), "", "shop", json!({}));
    assert_eq!(rule(&narrow, &namespaces(), &shop), Rule::AllNamespaces);
}

#[test]
fn with_the_clusters_scope_switched_off_what_may_be_needed_is_read_and_left_until_it_is_needed() {
    let narrow = selector(
        json!({"includeClusterScopeResources": false, "includedResourceTypes": ["Deployment"],
            "labelSelectors": ["env=prod"]}),
    );
    assert!(narrow.follows_needs());
    assert_eq!(narrow.decide_type(&volumes()).rule, Rule::TakenWhenNeeded);
    let volume = object(&volumes(), "", "pv1", json!({"env": "prod"}));
    assert_eq!(
        narrow.decide(&volumes(), &volume),
        Decision::exclude(Rule::NotNeeded)
    );
    let refused = selector(
        json!({"includeClusterScopeResources": false, "excludedResourceTypes": ["pv", "persistentvolumes"]}),
    );
    assert_eq!(refused.decide_type(&volumes()).rule, Rule::TypeExcluded);
}

#[test]
fn an_object_with_the_label_keeps_itself_out_whatever_is_chosen() {
    for label in EXCLUDE_LABELS {
        for all in [
            json!({}),
            json!({"includedNamespaces": ["shop"], "includedResourceTypes": ["Deployment"]}),
            json!({"labelSelectors": [label]}),
            json!({"includeClusterScopeResources": false}),
        ] {
            let all = selector(all);
            let out = object(&deployments(), "shop", "web", json!({label: "true"}));
            assert_eq!(rule(&all, &deployments(), &out), Rule::ExcludedByLabel);
            let pv = object(&volumes(), "", "pv1", json!({label: "true"}));
            assert_eq!(rule(&all, &volumes(), &pv), Rule::ExcludedByLabel);
        }
        for other in ["false", "", "True"] {
            let web = object(&deployments(), "shop", "web", json!({label: other}));
            assert!(selector(json!({})).decide(&deployments(), &web).included);
        }
    }
}

#[test]
fn a_namespace_with_the_label_keeps_all_that_is_in_it_out() {
    let all = selector(json!({"includedNamespaces": ["shop", "other"]}))
        .without_namespaces(["shop".to_owned()].into());
    let web = |namespace| {
        let web = object(&deployments(), namespace, "web", json!({}));
        rule(&all, &deployments(), &web)
    };
    assert_eq!(web("shop"), Rule::NamespaceExcludedByLabel);
    assert_eq!(web("other"), Rule::NamespaceChosen);
}

#[test]
fn objects_of_the_clusters_scope_are_taken_beside_chosen_namespaces() {
    let chosen = selector(json!({"includedNamespaces": ["shop"]}));
    assert_eq!(
        rule(
            &chosen,
            &volumes(),
            &object(&volumes(), "", "pv1", json!({}))
        ),
        Rule::ClusterScoped
    );
}

#[test]
fn label_selectors_are_joined_by_and() {
    let labelled = selector(json!({"labelSelectors": ["env=prod;tier!=web", "team in (a,b)"]}));
    let take =
        |labels| labelled.decide(&deployments(), &object(&deployments(), "shop", "x", labels));
    assert!(take(json!({"env": "prod", "team": "a"})).included);
    assert_eq!(
        take(json!({"env": "prod", "team": "c"})).rule,
        Rule::LabelsDiffer
    );
    assert_eq!(
        take(json!({"env": "prod", "tier": "web", "team": "a"})).rule,
        Rule::LabelsDiffer
    );
    assert_eq!(take(json!({})).rule, Rule::LabelsDiffer);
}

#[test]
fn a_namespace_without_the_labels_or_the_type_is_carried_for_its_objects() {
    let shop = object(&namespaces(), "", "shop", json!({}));
    for narrow in [
        json!({"labelSelectors": ["env=prod"]}),
        json!({"includedResourceTypes": ["Deployment"]}),
        json!({"excludedResourceTypes": ["Namespace"]}),
    ] {
        let decision = selector(narrow).decide(&namespaces(), &shop);
        assert_eq!(decision, Decision::include(Rule::NamespaceCarried));
    }
    let not_chosen =
        selector(json!({"includedNamespaces": ["other"], "labelSelectors": ["env=prod"]}));
    assert_eq!(
        rule(&not_chosen, &namespaces(), &shop),
        Rule::NamespaceNotChosen
    );
}

#[test]
fn every_fault_of_a_configuration_is_named_with_its_field() {
    let selection: Selection = serde_json::from_value(json!({
        "includedNamespaces": ["Shop", "web"], "excludedNamespaces": ["web"],
        "includedResourceTypes": ["a//b", "ok"], "excludedResourceTypes": ["Deploy ment"],
        "labelSelectors": ["env=prod", "tier!"],
    }))
    .unwrap();
    let problem: Problem = selection.compile().unwrap_err().into();
    let lines: Vec<String> = problem
        .details
        .iter()
        .map(|p| {
            format!(
                "{} {}: {}",
                p.code,
                p.target.as_deref().unwrap_or("-"),
                p.message
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_configuration_that_can_only_take_nothing_is_refused() {
    for bad in [
        json!({"includedNamespaces": ["kube-system"]}),
        json!({"includedNamespaces": ["a"], "excludedNamespaces": ["a"]}),
    ] {
        let selection: Selection = serde_json::from_value(bad).unwrap();
        let problem: Problem = selection.compile().unwrap_err().into();
        assert_eq!(problem.code, Code::UserErrorInvalidNamespaceFilter);
    }
}

#[test]
fn every_rule_says_its_reason() {
    let lines: Vec<String> = Rule::ALL
        .iter()
        .map(|rule| format!("{}: {rule}", rule.as_str()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

proptest! {
    #[test]
    fn a_type_filter_never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<TypeFilter>();
    }

    #[test]
    fn what_is_excluded_in_any_way_is_never_taken_and_every_decision_has_its_reason(
        namespace in "shop|test|kube-system",
        pick in 0usize..4,
        excluded_namespaces in prop::collection::vec("shop|test", 0..2),
        excluded_types in prop::collection::vec("Deployment|secrets|pv|persistentvolumes", 0..3),
        (cluster_scope, secrets, opted_out) in any::<(bool, bool, bool)>(),
        labels in prop::collection::vec("env=prod|!env|tier in \\(a,b\\)", 0..3),
        env in prop::option::of("prod|dev"),
    ) {
        let selector = selector(json!({
            "excludedNamespaces": excluded_namespaces, "excludedResourceTypes": excluded_types,
            "includeClusterScopeResources": cluster_scope, "includeSecrets": secrets,
            "labelSelectors": labels,
        }));
        let resource = [deployments(), self::secrets(), volumes(), namespaces()][pick].clone();
        let mut own = json!({});
        if let Some(env) = &env {
            own["env"] = json!(env);
        }
        if opted_out {
            own["velero.io/exclude-from-backup"] = json!("true");
        }
        let facts = object(&resource, &namespace, &namespace, own);
        let decision = selector.decide(&resource, &facts);
        prop_assert!(!decision.rule.reason().is_empty());
        let place = if resource.namespaced || resource.kind == "Namespace" { Some(&namespace) } else { None };
        let forbidden = opted_out
            || place.is_some_and(|place| place == "kube-system" || excluded_namespaces.contains(place))
            || resource.kind == "Deployment" && excluded_types.iter().any(|one| one == "Deployment")
            || resource.kind == "Secret" && (!secrets || excluded_types.iter().any(|one| one == "secrets"))
            || resource.kind == "PersistentVolume" && (!cluster_scope || excluded_types.iter().any(|one| one.starts_with('p')))
            || resource.kind != "Namespace" && !selector.labels_match(&facts);
        prop_assert_eq!(decision.included, !forbidden, "{} {}", resource, decision);
    }

    #[test]
    fn another_label_selector_never_takes_more(
        first in "env=prod|!env|tier", second in "env!=prod|tier=a|env", env in "prod|dev", tier in prop::option::of("a|b"),
    ) {
        let narrow = selector(json!({"labelSelectors": [first, second]}));
        let wide = selector(json!({"labelSelectors": [first]}));
        let other = selector(json!({"labelSelectors": [second]}));
        let web = object(&deployments(), "shop", "web", json!({"env": env, "tier": tier}));
        let takes = |selector: &Selector| selector.decide(&deployments(), &web).included;
        prop_assert_eq!(takes(&narrow), takes(&wide) && takes(&other));
    }

    #[test]
    fn an_object_of_a_namespace_that_is_left_is_never_taken(name in "[a-d]", included in prop::collection::vec("[a-d]", 0..3), excluded in prop::collection::vec("[e-f]", 0..2)) {
        let selector = selector(json!({"includedNamespaces": included, "excludedNamespaces": excluded}));
        let object = object(&deployments(), &name, "x", json!({}));
        prop_assert_eq!(selector.decide(&deployments(), &object).included, selector.decide_namespace(&name).included);
    }
}

#[test]
fn references_to_hooks_are_named_once_and_whole() {
    let selection: Selection = serde_json::from_str(
        r#"{"backupHookReferences": [{"name": "a", "namespace": "shop"}, {"name": "a", "namespace": null},
            {"name": "a", "namespace": "shop"}]}"#,
    )
    .unwrap();
    let problems = selection.compile().unwrap_err().problems;
    let said: Vec<_> = problems.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "/a is not the namespace and the name of a BackupHook",
            "BackupHook shop/a is named twice"
        ]
    );
    assert!(
        problems
            .iter()
            .all(|one| one.target.as_deref() == Some("backupHookReferences"))
    );
    let none = serde_json::to_string(&Selection::default()).unwrap();
    assert!(
        !none.contains("backupHookReferences"),
        "stored selections stay as they are"
    );
}
