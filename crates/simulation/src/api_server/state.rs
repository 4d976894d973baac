//! Objects with all their versions, and the kinds that are served.
//!
//! One counter numbers every change, as etcd's revision does; a list at an older number sees the
//! objects as they were then.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Value, json};

/// One served kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// API group, empty for core.
    pub group: String,
    /// Served version.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether `/status` is a subresource of its own.
    pub status: bool,
}

impl Kind {
    /// A namespaced kind with a status subresource: `Kind::namespaced("apps", "v1", "Deployment",
    /// "deployments")`.
    #[must_use]
    pub fn namespaced(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
            status: true,
        }
    }

    /// A cluster-scoped kind with a status subresource.
    #[must_use]
    pub fn cluster_scoped(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            namespaced: false,
            ..Self::namespaced(group, version, kind, plural)
        }
    }

    /// `deployments.apps`, or `configmaps` in the core group.
    #[must_use]
    pub fn id(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `apps/v1` or `v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// A change, for watches.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) kind: String,
    pub(crate) event: &'static str,
    pub(crate) object: Arc<Value>,
}

/// All versions of one object: the revision of each and its content, `None` once deleted.
type History = Vec<(u64, Option<Arc<Value>>)>;

/// All that the server knows.
#[derive(Debug)]
pub struct State {
    kinds: Vec<Kind>,
    objects: BTreeMap<(String, String), History>,
    changes: Vec<Change>,
    revision: u64,
    compacted: u64,
    addresses: u32,
}

/// The built-in kinds: group, version, kind, plural, namespaced.
const BUILT_IN: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Endpoints", "endpoints", true),
    ("", "v1", "Event", "events", true),
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", "Node", "nodes", false),
    ("", "v1", "PersistentVolume", "persistentvolumes", false),
    (
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    ),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", true),
    (
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    ),
    ("apps", "v1", "Deployment", "deployments", true),
    ("apps", "v1", "ReplicaSet", "replicasets", true),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    ("batch", "v1", "Job", "jobs", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    (
        "clusterbackup.dataprotection.microsoft.com",
        "v1alpha1",
        "Backup",
        "backups",
        true,
    ),
    (
        "clusterbackup.dataprotection.microsoft.com",
        "v1alpha1",
        "Restore",
        "restores",
        true,
    ),
    (
        "clusterbackup.dataprotection.microsoft.com",
        "v1alpha1",
        "BackupExtension",
        "backupextensions",
        true,
    ),
];

impl State {
    pub(crate) fn new() -> Self {
        let kinds = BUILT_IN
            .iter()
            .map(|(group, version, kind, plural, namespaced)| Kind {
                namespaced: *namespaced,
                ..Kind::namespaced(group, version, kind, plural)
            })
            .collect();
        Self {
            kinds,
            objects: BTreeMap::new(),
            changes: Vec::new(),
            revision: 100,
            compacted: 0,
            addresses: 0,
        }
    }

    pub(crate) fn add_kind(&mut self, kind: Kind) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    pub(crate) fn remove_kind(&mut self, id: &str) {
        self.kinds.retain(|kind| kind.id() != id);
        let keys: Vec<String> = self
            .list(id, None, None)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            self.delete(id, &key);
        }
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The kind that a path names.
    pub(crate) fn kind(&self, group: &str, version: &str, plural: &str) -> Option<Kind> {
        self.kinds
            .iter()
            .find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
            .cloned()
    }

    /// The kind that an object says it is.
    pub(crate) fn kind_of(&self, object: &Value) -> Option<Kind> {
        let api_version = object["apiVersion"].as_str()?;
        let name = object["kind"].as_str()?;
        self.kinds
            .iter()
            .find(|kind| kind.api_version() == api_version && kind.kind == name)
            .cloned()
    }

    /// Something was written that nobody here looks at.
    pub(crate) fn go_on(&mut self) {
        self.revision += 1;
    }

    /// The revision of the last write.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
    }

    /// A service address that is not taken yet.
    pub(crate) fn next_address(&mut self) -> String {
        self.addresses += 1;
        format!(
            "10.96.{}.{}",
            self.addresses / 250,
            self.addresses % 250 + 1
        )
    }

    pub(crate) fn live(&self, kind: &str, key: &str) -> Option<Arc<Value>> {
        self.objects
            .get(&(kind.to_owned(), key.to_owned()))
            .and_then(|history| history.last())
            .and_then(|(_, object)| object.clone())
    }

    /// Objects of a kind at a revision (`None`: now) under a key prefix, in key order.
    pub(crate) fn list(
        &self,
        kind: &str,
        prefix: Option<&str>,
        at: Option<u64>,
    ) -> Vec<(String, Arc<Value>)> {
        let start = (kind.to_owned(), prefix.unwrap_or_default().to_owned());
        self.objects
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(|((of, key), _)| {
                of == kind && prefix.is_none_or(|prefix| key.starts_with(prefix))
            })
            .filter_map(|((_, key), history)| {
                let version = history
                    .iter()
                    .rev()
                    .find(|(revision, _)| at.is_none_or(|at| *revision <= at))?;
                version.1.clone().map(|object| (key.clone(), object))
            })
            .collect()
    }

    /// Stores a new version and returns it with its resource version set.
    pub(crate) fn store(&mut self, kind: &Kind, key: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Arc::new(object);
        let id = (kind.id(), key.to_owned());
        let history = self.objects.entry(id).or_default();
        let existed = history.last().is_some_and(|(_, object)| object.is_some());
        history.push((self.revision, Some(Arc::clone(&object))));
        self.changes.push(Change {
            revision: self.revision,
            kind: kind.id(),
            event: if existed { "MODIFIED" } else { "ADDED" },
            object: Arc::clone(&object),
        });
        object
    }

    pub(crate) fn delete(&mut self, kind: &str, key: &str) -> Option<Arc<Value>> {
        let history = self.objects.get_mut(&(kind.to_owned(), key.to_owned()))?;
        let object = history.last().and_then(|(_, object)| object.clone())?;
        self.revision += 1;
        history.push((self.revision, None));
        self.changes.push(Change {
            revision: self.revision,
            kind: kind.to_owned(),
            event: "DELETED",
            object: Arc::clone(&object),
        });
        Some(object)
    }

    pub(crate) fn delete_namespace_contents(&mut self, namespace: &str) {
        let prefix = format!("{namespace}/");
        let doomed: Vec<(String, String)> = self
            .objects
            .keys()
            .filter(|(_, key)| key.starts_with(&prefix))
            .cloned()
            .collect();
        for (kind, key) in doomed {
            self.delete(&kind, &key);
        }
    }

    /// Changes of a kind after a revision.
    pub(crate) fn changes_after(&self, kind: &str, revision: u64) -> Vec<Change> {
        self.changes
            .iter()
            .filter(|change| change.kind == kind && change.revision > revision)
            .cloned()
            .collect()
    }
}

/// The key of an object in its kind: `namespace/name`, or the name alone.
pub(crate) fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    )
}
