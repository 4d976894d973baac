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
    assert_eq!(
        serde_json::from_str::<Selection>(text).unwrap(),
        Selection::default()
    );
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
    for form in ["widgets.example.com", "example.com/Widget", "Widget"] {
        assert!(
            form.parse::<TypeFilter>().unwrap().matches(&widgets),
            "{form}"
        );
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
    assert_eq!(
        narrow.decide_type(&volumes()).rule,
        Rule::ClusterScopeSwitchedOff
    );
    assert!(narrow.decide_type(&namespaces()).included);
    let shop = object(&namespaces(), "", "shop", json!({}));
    assert_eq!(rule(&narrow, &namespaces(), &shop), Rule::AllNamespaces);
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
fn whole_types_are_never_taken() {
    let all = selector(json!({}));
    let table: Vec<(ResourceType, Rule)> = vec![
        (kind("", "Event", "events", true), Rule::EventExpires),
        (
            kind("events.k8s.io", "Event", "events", true),
            Rule::EventExpires,
        ),
        (
            kind("coordination.k8s.io", "Lease", "leases", true),
            Rule::LeaseIsMomentary,
        ),
        (kind("", "Node", "nodes", false), Rule::NodeIsMachine),
        (
            kind("storage.k8s.io", "CSINode", "csinodes", false),
            Rule::NodeIsMachine,
        ),
        (
            kind(
                "storage.k8s.io",
                "VolumeAttachment",
                "volumeattachments",
                false,
            ),
            Rule::VolumeAttachmentIsMomentary,
        ),
        (
            kind("", "ComponentStatus", "componentstatuses", false),
            Rule::HealthIsMomentary,
        ),
        (
            kind("metrics.k8s.io", "PodMetrics", "pods", true),
            Rule::AggregatedMetrics,
        ),
        (kind(OWN_GROUP, "Backup", "backups", true), Rule::OwnObject),
        (
            kind(OWN_GROUP, "BackupHook", "backuphooks", true),
            Rule::TypeTaken,
        ),
        (
            kind("example.com", "Event", "events", true),
            Rule::TypeTaken,
        ),
    ];
    for (resource, rule) in table {
        assert_eq!(all.decide_type(&resource).rule, rule, "{resource}");
    }
}

#[test]
fn what_the_cluster_or_the_extension_makes_itself_is_never_taken() {
    let all = selector(json!({}));
    let rbac = "rbac.authorization.k8s.io";
    let crd = kind(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    );
    let marked = |resource: &ResourceType,
                  namespace: &str,
                  name: &str,
                  labels: Value,
                  annotations: Value| {
        let mut facts = object(resource, namespace, name, labels);
        facts.annotations = serde_json::from_value(annotations).unwrap();
        (resource.clone(), facts)
    };
    let cluster_role = kind(rbac, "ClusterRole", "clusterroles", false);
    let maps = kind("", "ConfigMap", "configmaps", true);
    let endpoints = kind("", "Endpoints", "endpoints", true);
    let slices = kind("discovery.k8s.io", "EndpointSlice", "endpointslices", true);
    let services = kind("", "Service", "services", true);
    let flow = kind(
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        "flowschemas",
        false,
    );
    let api = kind("apiregistration.k8s.io", "APIService", "apiservices", false);
    let priority = kind(
        "scheduling.k8s.io",
        "PriorityClass",
        "priorityclasses",
        false,
    );
    let none = || json!({});
    let managed = |by: &str| json!({"endpointslice.kubernetes.io/managed-by": by});
    let table = [
        (
            marked(
                &cluster_role,
                "",
                "admin",
                json!({"kubernetes.io/bootstrapping": "rbac-defaults"}),
                none(),
            ),
            Some(Rule::MadeByApiServer),
        ),
        (marked(&cluster_role, "", "mine", none(), none()), None),
        (
            marked(
                &cluster_role,
                "",
                "backup-extension",
                json!({OWN_LABEL: OWN_LABEL_VALUE}),
                none(),
            ),
            Some(Rule::OwnObject),
        ),
        (
            marked(
                &maps,
                "shop",
                "of-a-user",
                json!({OWN_LABEL: OWN_LABEL_VALUE}),
                none(),
            ),
            None,
        ),
        (
            marked(&crd, "", &format!("backups.{OWN_GROUP}"), none(), none()),
            Some(Rule::OwnObject),
        ),
        (
            marked(&maps, "shop", "kube-root-ca.crt", none(), none()),
            Some(Rule::MadeByControllerManager),
        ),
        (
            marked(
                &maps,
                "shop",
                "leader",
                none(),
                json!({"control-plane.alpha.kubernetes.io/leader": "{}"}),
            ),
            Some(Rule::LeaseIsMomentary),
        ),
        (
            marked(
                &endpoints,
                "shop",
                "web",
                json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller"}),
                none(),
            ),
            Some(Rule::EndpointsFollowService),
        ),
        (
            marked(
                &endpoints,
                "shop",
                "web",
                none(),
                json!({"endpoints.kubernetes.io/last-change-trigger-time": "x"}),
            ),
            Some(Rule::EndpointsFollowService),
        ),
        (marked(&endpoints, "shop", "by-hand", none(), none()), None),
        (
            marked(
                &slices,
                "shop",
                "web-1",
                managed("endpointslice-controller.k8s.io"),
                none(),
            ),
            Some(Rule::EndpointsFollowService),
        ),
        (
            marked(
                &slices,
                "shop",
                "mirror-1",
                managed("endpointslicemirroring-controller.k8s.io"),
                none(),
            ),
            Some(Rule::EndpointsFollowService),
        ),
        (
            marked(&slices, "shop", "by-hand", managed("staff"), none()),
            None,
        ),
        (
            marked(&services, "default", "kubernetes", none(), none()),
            Some(Rule::MadeByApiServer),
        ),
        (
            marked(&services, "shop", "kubernetes", none(), none()),
            None,
        ),
        (
            marked(
                &flow,
                "",
                "exempt",
                none(),
                json!({"apf.kubernetes.io/autoupdate-spec": "true"}),
            ),
            Some(Rule::MadeByApiServer),
        ),
        (
            marked(
                &flow,
                "",
                "edited",
                none(),
                json!({"apf.kubernetes.io/autoupdate-spec": "false"}),
            ),
            None,
        ),
        (
            marked(
                &api,
                "",
                "v1.apps",
                json!({"kube-aggregator.kubernetes.io/automanaged": "onstart"}),
                none(),
            ),
            Some(Rule::MadeByApiServer),
        ),
        (
            marked(&api, "", "v1beta1.metrics.k8s.io", none(), none()),
            None,
        ),
        (
            marked(&priority, "", "system-node-critical", none(), none()),
            Some(Rule::MadeByApiServer),
        ),
        (marked(&priority, "", "high", none(), none()), None),
    ];
    for ((resource, facts), never) in table {
        let decision = all.decide(&resource, &facts);
        assert_eq!(
            decision.included,
            never.is_none(),
            "{}: {decision}",
            facts.object
        );
        if let Some(never) = never {
            assert_eq!(decision.rule, never, "{}", facts.object);
        }
    }
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
    fn an_object_of_a_namespace_that_is_left_is_never_taken(name in "[a-d]", included in prop::collection::vec("[a-d]", 0..3), excluded in prop::collection::vec("[e-f]", 0..2)) {
        let selector = selector(json!({"includedNamespaces": included, "excludedNamespaces": excluded}));
        let object = object(&deployments(), &name, "x", json!({}));
        prop_assert_eq!(selector.decide(&deployments(), &object).included, selector.decide_namespace(&name).included);
    }
}
