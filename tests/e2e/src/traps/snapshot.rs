//! Everything that a cluster holds, raw.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Api, COPY, NAMESPACES, is_of_the_sample, items};
use crate::process::StageResult;

/// Which object, in whatever version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty in the cluster's scope.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name: String = self.name.chars().take(60).collect();
        write!(f, "{}.{} {}/{name}", self.kind, self.group, self.namespace)
    }
}

/// Objects by identity, each in every served version (by its `apiVersion`).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The objects of the sample.
    pub objects: BTreeMap<Identity, BTreeMap<String, Value>>,
    /// All others, each in one version.
    pub others: BTreeMap<Identity, Value>,
}

/// Takes every object of every listable type: the sample's in every served version.
pub fn snapshot(api: &Api) -> StageResult<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut versions = vec!["/api/v1".to_owned()];
    for group in api.get("/apis")?["groups"].as_array().into_iter().flatten() {
        let served = group["versions"].as_array().into_iter().flatten();
        versions.extend(
            served.filter_map(|one| Some(format!("/apis/{}", one["groupVersion"].as_str()?))),
        );
    }
    for version in versions {
        // A group whose server is down cannot be listed; the sample has one on purpose.
        let Ok(types) = api.get(&version) else {
            continue;
        };
        for resource in types["resources"].as_array().into_iter().flatten() {
            let verbs = resource["verbs"].as_array();
            if !verbs.is_some_and(|verbs| verbs.iter().any(|verb| verb == "list")) {
                continue;
            }
            let plural = resource["name"].as_str().unwrap_or_default();
            let listed = api.get(&format!("{version}/{plural}"))?;
            let api_version = listed["apiVersion"].as_str().unwrap_or_default();
            for item in items(&listed) {
                snapshot.add(
                    api_version,
                    resource["kind"].as_str().unwrap_or_default(),
                    item,
                );
            }
        }
    }
    Ok(snapshot)
}

impl Snapshot {
    fn add(&mut self, api_version: &str, kind: &str, item: &Value) {
        let text = |field: &str| {
            item["metadata"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let (namespace, name) = (text("namespace"), text("name"));
        let of_its_types = api_version.starts_with("trap.example.com/");
        let chosen = if namespace.is_empty() {
            is_of_the_sample(&name) || of_its_types || is_for_the_sample(kind, item)
        } else {
            NAMESPACES.contains(&namespace.as_str())
        };
        let group = api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .to_owned();
        let identity = Identity {
            group,
            kind: kind.to_owned(),
            namespace,
            name,
        };
        if is_of_the_copy(kind, item) {
            return;
        }
        if !chosen {
            self.others.entry(identity).or_insert_with(|| item.clone());
            return;
        }
        let versions = self.objects.entry(identity).or_default();
        versions.insert(api_version.to_owned(), item.clone());
    }
}

/// What lies in the copy of the application, or was made for it by the cluster: it is there in one
/// scenario only, which looks at the rest.
fn is_of_the_copy(kind: &str, item: &Value) -> bool {
    item["metadata"]["namespace"] == COPY || made_for(kind, item) == Some(COPY)
}

/// Volumes and contents whose names are made up, but that belong to a claim or snapshot of the sample.
fn is_for_the_sample(kind: &str, item: &Value) -> bool {
    made_for(kind, item).is_some_and(|namespace| NAMESPACES.contains(&namespace))
}

fn made_for<'a>(kind: &str, item: &'a Value) -> Option<&'a str> {
    let of = match kind {
        "PersistentVolume" => &item["spec"]["claimRef"]["namespace"],
        "VolumeSnapshotContent" => &item["spec"]["volumeSnapshotRef"]["namespace"],
        "IPAddress" => &item["spec"]["parentRef"]["namespace"],
        _ => return None,
    };
    of.as_str()
}
