//! What is never taken, whatever a configuration says, and why.
//!
//! Contract: one table for types, one function for objects that only their names, labels or
//! annotations tell apart. Everything here is made or kept by the cluster itself (or by us), so that
//! taking it would restore yesterday's machine state over today's.

use crate::object::{ObjectFacts, Owner, ResourceType};

use super::Rule;
use crate::restore::volumes::SOURCE_PREFIX;
use crate::volumes::{CLASS_LABEL, CLASS_MADE, name};

#[cfg(test)]
mod tests;

/// Namespaces of the cluster itself, skipped by the published product.
/// Source: <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup#backup-configurations>
pub const SYSTEM_NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

/// Namespace of the Backup extension.
/// Source: <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup-concept#backup-extension>
pub const EXTENSION_NAMESPACE: &str = "dataprotection-microsoft";

/// API group of our custom resources. Source: the published BackupHook sample.
pub const OWN_GROUP: &str = "clusterbackup.dataprotection.microsoft.com";

/// Label that the extension's installation puts on every object that it makes, so that a backup can
/// tell those of the cluster's own scope from the users' objects.
pub const OWN_LABEL: &str = "app.kubernetes.io/managed-by";

/// Value of [`OWN_LABEL`].
pub const OWN_LABEL_VALUE: &str = "strongroom";

/// Label with the recovery point on the VolumeSnapshots and VolumeSnapshotContents of recovery points.
pub const SNAPSHOT_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/recovery-point";

/// Name of the ClusterRole and the ClusterRoleBinding that the extension's installation makes.
pub(super) const OWN_ROLE: &str = "strongroom-backup-extension";

/// Kinds of our group that are bookkeeping; hooks are written by users and are taken.
const OWN_KINDS: &[&str] = &["Backup", "Restore", "BackupExtension"];

/// Types never taken: group, kind, rule. The group `*` stands for every group.
/// Source of the kinds: <https://kubernetes.io/docs/reference/kubernetes-api/>
const TYPES: &[(&str, &str, Rule)] = &[
    ("", "Event", Rule::EventExpires),
    ("events.k8s.io", "Event", Rule::EventExpires),
    ("coordination.k8s.io", "Lease", Rule::LeaseIsMomentary),
    (
        "coordination.k8s.io",
        "LeaseCandidate",
        Rule::LeaseIsMomentary,
    ),
    ("", "Node", Rule::NodeIsMachine),
    ("storage.k8s.io", "CSINode", Rule::NodeIsMachine),
    ("storage.k8s.io", "CSIStorageCapacity", Rule::NodeIsMachine),
    ("resource.k8s.io", "ResourceSlice", Rule::NodeIsMachine),
    ("resource.k8s.io", "DeviceTaintRule", Rule::NodeIsMachine),
    (
        "storage.k8s.io",
        "VolumeAttachment",
        Rule::VolumeAttachmentIsMomentary,
    ),
    ("", "ComponentStatus", Rule::HealthIsMomentary),
    (
        "internal.apiserver.k8s.io",
        "StorageVersion",
        Rule::MadeByApiServer,
    ),
    ("networking.k8s.io", "IPAddress", Rule::MadeByApiServer),
    ("metrics.k8s.io", "*", Rule::AggregatedMetrics),
    ("custom.metrics.k8s.io", "*", Rule::AggregatedMetrics),
    ("external.metrics.k8s.io", "*", Rule::AggregatedMetrics),
    ("authentication.k8s.io", "*", Rule::AccessReviewIsAQuestion),
    ("authorization.k8s.io", "*", Rule::AccessReviewIsAQuestion),
];

/// Priority classes that every API server makes.
/// Source: <https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/>
const SYSTEM_PRIORITY_CLASSES: &[&str] = &["system-cluster-critical", "system-node-critical"];

/// The rule by which nothing of a namespace is ever taken.
pub(super) fn namespace(name: &str) -> Option<Rule> {
    if SYSTEM_NAMESPACES.contains(&name) {
        Some(Rule::SystemNamespace)
    } else if name == EXTENSION_NAMESPACE {
        Some(Rule::OwnNamespace)
    } else {
        None
    }
}

/// The rule by which no object of a type is ever taken.
pub(super) fn resource_type(resource: &ResourceType) -> Option<Rule> {
    if resource.group == OWN_GROUP && OWN_KINDS.contains(&resource.kind.as_str()) {
        return Some(Rule::OwnObject);
    }
    TYPES
        .iter()
        .find(|(group, kind, _)| {
            *group == resource.group && (*kind == "*" || *kind == resource.kind)
        })
        .map(|(_, _, rule)| *rule)
}

/// The rule by which one object of a type that is otherwise taken is never taken.
pub(super) fn object(resource: &ResourceType, facts: &ObjectFacts) -> Option<Rule> {
    resource_type(resource)
        .or_else(|| facts.object.namespace.as_deref().and_then(namespace))
        .or_else(|| own_object(resource, facts))
        .or_else(|| machine_made(resource, facts))
}

/// What the extension's installation made outside its namespace: its role with the binding, and the
/// definitions. The label alone proves nothing, as users may write it too: a namespace of theirs that
/// has it is theirs.
fn own_object(resource: &ResourceType, facts: &ObjectFacts) -> Option<Rule> {
    let labelled = facts
        .labels
        .get(OWN_LABEL)
        .is_some_and(|value| value == OWN_LABEL_VALUE);
    let own_role = labelled
        && facts.object.name == OWN_ROLE
        && ["ClusterRole", "ClusterRoleBinding"]
            .iter()
            .any(|kind| resource.is("rbac.authorization.k8s.io", kind));
    let own_crd = resource.is("apiextensions.k8s.io", "CustomResourceDefinition")
        && facts.object.name.ends_with(&format!(".{OWN_GROUP}"));
    // What holds the volume snapshots of recovery points, which name them themselves, with the classes that
    // are made for them; and what a claim is restored from, which is gone when its volume is there.
    let own_snapshot = labelled
        && resource.group == "snapshot.storage.k8s.io"
        && (facts.labels.contains_key(SNAPSHOT_LABEL)
            || facts.object.name.starts_with(SOURCE_PREFIX)
            || facts
                .labels
                .get(CLASS_LABEL)
                .is_some_and(|value| value == CLASS_MADE));
    let own_group = resource.group == "groupsnapshot.storage.k8s.io"
        && labelled
        && facts.labels.contains_key(SNAPSHOT_LABEL);
    (own_role || own_crd || own_snapshot || own_group || is_member(resource, facts))
        .then_some(Rule::OwnObject)
}

/// Whether it is the VolumeSnapshot that the controllers made for a member of a group snapshot of ours. They
/// put no label of ours on it.
fn is_member(resource: &ResourceType, facts: &ObjectFacts) -> bool {
    let of_ours = |owner: &Owner| owner.kind == "VolumeGroupSnapshot" && name::is_ours(&owner.name);
    resource.is("snapshot.storage.k8s.io", "VolumeSnapshot") && facts.owners.iter().any(of_ours)
}

fn machine_made(resource: &ResourceType, facts: &ObjectFacts) -> Option<Rule> {
    let name = facts.object.name.as_str();
    let namespace = facts.object.namespace.as_deref();
    let label = |key: &str| facts.labels.get(key).map(String::as_str);
    let annotation = |key: &str| facts.annotations.get(key).map(String::as_str);
    let made = match (resource.group.as_str(), resource.kind.as_str()) {
        // https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
        ("rbac.authorization.k8s.io", _) => {
            label("kubernetes.io/bootstrapping") == Some("rbac-defaults")
        }
        // https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#maintenance-of-the-mandatory-and-suggested-configuration-objects
        ("flowcontrol.apiserver.k8s.io", _) => {
            annotation("apf.kubernetes.io/autoupdate-spec") == Some("true")
        }
        // https://kubernetes.io/docs/reference/labels-annotations-taints/ (kube-aggregator's registration controller)
        ("apiregistration.k8s.io", "APIService") => {
            label("kube-aggregator.kubernetes.io/automanaged").is_some()
        }
        ("scheduling.k8s.io", "PriorityClass") => SYSTEM_PRIORITY_CLASSES.contains(&name),
        // The API server's default range; https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
        ("networking.k8s.io", "ServiceCIDR") => name == "kubernetes",
        // The API server's own Service and its endpoints, which it reconciles.
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice")
            if namespace == Some("default") && name == "kubernetes" =>
        {
            true
        }
        _ => false,
    };
    if made {
        return Some(Rule::MadeByApiServer);
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        // https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ (root CA publisher)
        ("", "ConfigMap") if name == "kube-root-ca.crt" => Some(Rule::MadeByControllerManager),
        // https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#cluster-trust-bundles
        ("certificates.k8s.io", "ClusterTrustBundle") if name.starts_with("kubernetes.io:") => {
            Some(Rule::MadeByControllerManager)
        }
        ("", "ConfigMap" | "Endpoints")
            if annotation("control-plane.alpha.kubernetes.io/leader").is_some() =>
        {
            Some(Rule::LeaseIsMomentary)
        }
        // https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management
        ("discovery.k8s.io", "EndpointSlice")
            if label("endpointslice.kubernetes.io/managed-by")
                .is_some_and(|by| by.ends_with("controller.k8s.io")) =>
        {
            Some(Rule::EndpointsFollowService)
        }
        ("", "Endpoints") if endpoints_are_computed(facts) => Some(Rule::EndpointsFollowService),
        _ => None,
    }
}

/// The endpoints controller marks what it makes: with a label since 1.33, before that only with the
/// time of the change that triggered it. What has neither mark was written by hand for a Service
/// without a selector, or is told apart at restore by its field manager.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/>
fn endpoints_are_computed(facts: &ObjectFacts) -> bool {
    facts
        .labels
        .get("endpoints.kubernetes.io/managed-by")
        .is_some_and(|by| by == "endpoint-controller")
        || facts
            .annotations
            .contains_key("endpoints.kubernetes.io/last-change-trigger-time")
}
