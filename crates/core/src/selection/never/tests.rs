//! What is never taken, and what looks like it but is.

use super::*;
use crate::object::ObjectRef;
use crate::volumes::{CLASS_LABEL, CLASS_MADE};

fn kind(group: &str, kind: &str, namespaced: bool) -> ResourceType {
    ResourceType::new(group, "v1", kind, "", namespaced)
}

/// The rule for an object with one label and one annotation; a key that is empty is not set.
fn never(
    resource: &ResourceType,
    (namespace, name): (&str, &str),
    label: (&str, &str),
    annotation: (&str, &str),
) -> Option<Rule> {
    let map = |(key, value): (&str, &str)| {
        let pair = (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()));
        pair.into_iter().collect()
    };
    let facts = ObjectFacts {
        object: ObjectRef::new(resource, Some(namespace), name),
        labels: map(label),
        annotations: map(annotation),
        owners: Vec::new(),
        uid: String::new(),
        resource_version: String::new(),
        terminating: false,
    };
    object(resource, &facts)
}

const NONE: (&str, &str) = ("", "");

#[test]
fn whole_types_are_never_taken() {
    let table = [
        ("", "Event", Some(Rule::EventExpires)),
        ("events.k8s.io", "Event", Some(Rule::EventExpires)),
        ("coordination.k8s.io", "Lease", Some(Rule::LeaseIsMomentary)),
        ("", "Node", Some(Rule::NodeIsMachine)),
        ("storage.k8s.io", "CSINode", Some(Rule::NodeIsMachine)),
        (
            "storage.k8s.io",
            "VolumeAttachment",
            Some(Rule::VolumeAttachmentIsMomentary),
        ),
        ("", "ComponentStatus", Some(Rule::HealthIsMomentary)),
        (
            "metrics.k8s.io",
            "PodMetrics",
            Some(Rule::AggregatedMetrics),
        ),
        (OWN_GROUP, "Backup", Some(Rule::OwnObject)),
        (OWN_GROUP, "BackupHook", None),
        ("example.com", "Event", None),
        ("", "ConfigMap", None),
    ];
    for (group, name, rule) in table {
        assert_eq!(
            resource_type(&kind(group, name, true)),
            rule,
            "{group}/{name}"
        );
    }
}

#[test]
fn what_the_api_server_makes_is_never_taken_and_what_an_administrator_made_is() {
    let made = Some(Rule::MadeByApiServer);
    let role = kind("rbac.authorization.k8s.io", "ClusterRole", false);
    let bootstrap = ("kubernetes.io/bootstrapping", "rbac-defaults");
    assert_eq!(never(&role, ("", "admin"), bootstrap, NONE), made);
    assert_eq!(never(&role, ("", "mine"), NONE, NONE), None);

    let flow = kind("flowcontrol.apiserver.k8s.io", "FlowSchema", false);
    let autoupdate = "apf.kubernetes.io/autoupdate-spec";
    assert_eq!(
        never(&flow, ("", "exempt"), NONE, (autoupdate, "true")),
        made
    );
    assert_eq!(
        never(&flow, ("", "edited"), NONE, (autoupdate, "false")),
        None
    );

    let api = kind("apiregistration.k8s.io", "APIService", false);
    let automanaged = ("kube-aggregator.kubernetes.io/automanaged", "onstart");
    assert_eq!(never(&api, ("", "v1.apps"), automanaged, NONE), made);
    assert_eq!(
        never(&api, ("", "v1beta1.metrics.k8s.io"), NONE, NONE),
        None
    );

    let priority = kind("scheduling.k8s.io", "PriorityClass", false);
    assert_eq!(
        never(&priority, ("", "system-node-critical"), NONE, NONE),
        made
    );
    assert_eq!(never(&priority, ("", "high"), NONE, NONE), None);

    let service = kind("", "Service", true);
    assert_eq!(never(&service, ("default", "kubernetes"), NONE, NONE), made);
    assert_eq!(never(&service, ("shop", "kubernetes"), NONE, NONE), None);
}

#[test]
fn what_controllers_make_is_never_taken_and_the_same_kind_made_by_hand_is() {
    let maps = kind("", "ConfigMap", true);
    let leader = ("control-plane.alpha.kubernetes.io/leader", "{}");
    let root_ca = ("shop", "kube-root-ca.crt");
    assert_eq!(
        never(&maps, root_ca, NONE, NONE),
        Some(Rule::MadeByControllerManager)
    );
    assert_eq!(
        never(&maps, ("shop", "lock"), NONE, leader),
        Some(Rule::LeaseIsMomentary)
    );
    assert_eq!(never(&maps, ("shop", "settings"), NONE, NONE), None);

    let follows = Some(Rule::EndpointsFollowService);
    let endpoints = kind("", "Endpoints", true);
    let by_controller = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");
    let triggered = ("endpoints.kubernetes.io/last-change-trigger-time", "t");
    assert_eq!(
        never(&endpoints, ("shop", "web"), by_controller, NONE),
        follows
    );
    assert_eq!(never(&endpoints, ("shop", "web"), NONE, triggered), follows);
    assert_eq!(never(&endpoints, ("shop", "by-hand"), NONE, NONE), None);

    let slices = kind("discovery.k8s.io", "EndpointSlice", true);
    for (by, rule) in [
        ("endpointslice-controller.k8s.io", follows),
        ("endpointslicemirroring-controller.k8s.io", follows),
        ("staff", None),
    ] {
        let label = ("endpointslice.kubernetes.io/managed-by", by);
        assert_eq!(never(&slices, ("shop", "web-1"), label, NONE), rule, "{by}");
    }
}

#[test]
fn what_the_extensions_installation_made_is_never_taken() {
    let own = Some(Rule::OwnObject);
    let label = (OWN_LABEL, OWN_LABEL_VALUE);
    let role = kind("rbac.authorization.k8s.io", "ClusterRole", false);
    let crd = kind("apiextensions.k8s.io", "CustomResourceDefinition", false);
    assert_eq!(never(&role, ("", OWN_ROLE), label, NONE), own);
    assert_eq!(never(&role, ("", "of-a-user"), label, NONE), None);
    let namespaces = kind("", "Namespace", false);
    assert_eq!(never(&namespaces, ("", "of-a-user"), label, NONE), None);
    assert_eq!(
        never(&crd, ("", &format!("backups.{OWN_GROUP}")), NONE, NONE),
        own
    );
    assert_eq!(never(&crd, ("", "widgets.example.com"), NONE, NONE), None);
    let maps = kind("", "ConfigMap", true);
    assert_eq!(
        never(&maps, ("shop", "of-a-user"), label, NONE),
        None,
        "users may write the label too"
    );
    assert_eq!(
        never(&maps, (EXTENSION_NAMESPACE, "x"), NONE, NONE),
        Some(Rule::OwnNamespace)
    );
    assert_eq!(
        never(&maps, ("kube-system", "x"), NONE, NONE),
        Some(Rule::SystemNamespace)
    );
}

#[test]
fn the_snapshots_of_recovery_points_are_never_taken_and_those_of_users_are() {
    let contents = ResourceType::new(
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshotContent",
        "volumesnapshotcontents",
        false,
    );
    let content = |labels: serde_json::Value| {
        let object = serde_json::json!({"metadata": {"name": "c", "labels": labels}});
        super::object(&contents, &ObjectFacts::of(&contents, &object))
    };
    let ours = content(serde_json::json!({OWN_LABEL: OWN_LABEL_VALUE, SNAPSHOT_LABEL: "p"}));
    assert_eq!(ours, Some(Rule::OwnObject));
    assert_eq!(content(serde_json::json!({"app": "shop"})), None);
    let made = content(serde_json::json!({OWN_LABEL: OWN_LABEL_VALUE, CLASS_LABEL: CLASS_MADE}));
    assert_eq!(made, Some(Rule::OwnObject));
    let chosen = content(serde_json::json!({OWN_LABEL: OWN_LABEL_VALUE, CLASS_LABEL: "true"}));
    assert_eq!(chosen, None);
    let snapshots = ResourceType::new(
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshot",
        "volumesnapshots",
        true,
    );
    let member = |group: &str| {
        let owner = serde_json::json!({"kind": "VolumeGroupSnapshot", "name": group, "uid": "u"});
        let metadata =
            serde_json::json!({"namespace": "shop", "name": "s", "ownerReferences": [owner]});
        let object = serde_json::json!({ "metadata": metadata });
        super::object(&snapshots, &ObjectFacts::of(&snapshots, &object))
    };
    let group = crate::volumes::name::group("ns", uuid::Uuid::nil(), "shop", "d");
    assert_eq!(member(&group), Some(Rule::OwnObject));
    assert_eq!(member("nightly"), None);
    let of_a_restore = |labels: serde_json::Value| {
        let metadata = serde_json::json!({"name": "strongroom-restore-1", "labels": labels});
        let object = serde_json::json!({ "metadata": metadata });
        super::object(&contents, &ObjectFacts::of(&contents, &object))
    };
    let labels = serde_json::json!({OWN_LABEL: OWN_LABEL_VALUE});
    assert_eq!(of_a_restore(labels), Some(Rule::OwnObject));
    assert_eq!(of_a_restore(serde_json::json!({})), None);
}
