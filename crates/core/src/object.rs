//! What a Kubernetes object is to a decision: its type, its name and the few facts that rules read.
//!
//! Contract: these types say nothing of how an object was read. [`ObjectFacts::of`] derives them from
//! the object's JSON and never fails: an absent field is an empty one, because a decision about a
//! malformed object must still be possible (and say so) rather than stop the job.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// API groups that the API server itself serves; every other group comes from a CustomResourceDefinition
/// or from an aggregated API server. Source: `k8s.io/api` at v0.36, one folder for each group.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// A type of objects as the API server serves it in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceType {
    /// API group; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// Version within the group, for example `v1`.
    pub version: String,
    /// Kind, for example `Deployment`.
    pub kind: String,
    /// Plural name in the URL, for example `deployments`.
    pub plural: String,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

impl ResourceType {
    /// A type from its parts; a builder for tables and tests.
    #[must_use]
    pub fn new(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        }
    }

    /// The `apiVersion` that an object of this type carries: `v1`, `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `plural.group`, or the plural alone in the core group: the name of the type without a version.
    #[must_use]
    pub fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Whether this is the built-in or custom type `group`/`kind`, in whatever version.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Whether the type comes from a CustomResourceDefinition or an aggregated API rather than from
    /// the API server itself.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        !BUILT_IN_GROUPS.contains(&self.group.as_str())
    }
}

impl fmt::Display for ResourceType {
    /// `deployments.apps/v1`, `configmaps/v1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource(), self.version)
    }
}

/// Names one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// Version in which the object was read or written.
    pub version: String,
    /// Kind, for example `Deployment`.
    pub kind: String,
    /// Namespace; absent for an object of the cluster's own scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name within its namespace or the cluster.
    pub name: String,
}

impl ObjectRef {
    /// The object `name` of a type.
    #[must_use]
    pub fn new(resource: &ResourceType, namespace: Option<&str>, name: &str) -> Self {
        Self {
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
            namespace: namespace.filter(|n| !n.is_empty()).map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The key within its type: `namespace/name`, or `name` in the cluster's scope. This is the order
    /// in which the API server lists objects.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl fmt::Display for ObjectRef {
    /// `apps/Deployment shop/web`, `ConfigMap shop/settings`, `Namespace shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{} {}", self.kind, self.key())
    }
}

/// An owner reference of an object.
/// Source: <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#ownerreference-v1-meta>
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// `group/version` of the owner.
    #[serde(default)]
    pub api_version: String,
    /// Kind of the owner.
    #[serde(default)]
    pub kind: String,
    /// Name of the owner, in the object's own namespace or in the cluster's scope.
    #[serde(default)]
    pub name: String,
    /// The owner's uid when the object was read.
    #[serde(default)]
    pub uid: String,
    /// Whether this owner is the one controller that manages the object.
    #[serde(default)]
    pub controller: bool,
    /// Whether deleting the owner in the foreground waits for this object.
    #[serde(default)]
    pub block_owner_deletion: bool,
    /// Labels of the owned object that carry this owner's uid, as a Job's pods have them. Not a part of
    /// the reference: set when references are taken off an object, so that linking sets them anew.
    #[serde(skip)]
    pub uid_labels: Vec<String>,
}

impl Owner {
    /// API group of the owner; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }
}

/// The facts of one object that decisions read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFacts {
    /// Which object.
    pub object: ObjectRef,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its owner references.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// Its uid; empty when the API server gave none.
    #[serde(default)]
    pub uid: String,
    /// Its resourceVersion; an opaque string.
    #[serde(default)]
    pub resource_version: String,
    /// Whether it has a deletionTimestamp.
    #[serde(default)]
    pub terminating: bool,
}

impl ObjectFacts {
    /// Reads the facts out of an object's JSON.
    #[must_use]
    pub fn of(resource: &ResourceType, object: &Value) -> Self {
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let owners = metadata["ownerReferences"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Self {
            object: ObjectRef::new(resource, metadata["namespace"].as_str(), &text("name")),
            labels: string_map(&metadata["labels"]),
            annotations: string_map(&metadata["annotations"]),
            owners: owners
                .iter()
                .filter_map(|o| serde_json::from_value(o.clone()).ok())
                .collect(),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            terminating: metadata["deletionTimestamp"].is_string(),
        }
    }

    /// The one owner that manages the object, when there is one.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }
}

/// A JSON object of strings as a map; anything that is not a string is left out.
fn string_map(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployments() -> ResourceType {
        ResourceType::new("apps", "v1", "Deployment", "deployments", true)
    }

    #[test]
    fn a_type_is_written_as_kubectl_writes_it() {
        assert_eq!(deployments().to_string(), "deployments.apps/v1");
        assert_eq!(deployments().api_version(), "apps/v1");
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        assert_eq!(maps.to_string(), "configmaps/v1");
        assert_eq!(maps.api_version(), "v1");
    }

    #[test]
    fn an_object_is_named_with_its_group_kind_and_namespace() {
        assert_eq!(
            ObjectRef::new(&deployments(), Some("shop"), "web").to_string(),
            "apps/Deployment shop/web"
        );
        let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
        assert_eq!(
            ObjectRef::new(&namespaces, None, "shop").to_string(),
            "Namespace shop"
        );
    }

    #[test]
    fn facts_are_read_from_json_and_what_is_absent_is_empty() {
        let facts = ObjectFacts::of(
            &deployments(),
            &json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u1",
                "labels": {"app": "web", "odd": 3},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "X", "name": "x", "uid": "u0", "controller": true}]}}),
        );
        assert_eq!(facts.object.key(), "shop/web");
        assert_eq!(facts.labels.len(), 1);
        assert_eq!(facts.controller().map(|o| o.group()), Some("apps"));
        assert!(!facts.terminating);
        let nothing = ObjectFacts::of(&deployments(), &json!({}));
        assert_eq!(nothing.object.name, "");
    }

    #[test]
    fn a_type_of_a_foreign_group_is_custom() {
        assert!(!deployments().is_custom());
        assert!(
            ResourceType::new(
                "snapshot.storage.k8s.io",
                "v1",
                "VolumeSnapshot",
                "volumesnapshots",
                true
            )
            .is_custom()
        );
    }
}
