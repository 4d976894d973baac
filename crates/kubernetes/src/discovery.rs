//! Which types of objects a cluster serves, asked anew for every job.
//!
//! Contract: [`Discovery::types`] has each type once, in the version that the server prefers, only
//! those that can be listed and read, without subresources. A group that does not answer (an
//! aggregated API whose server is down) is a [`BrokenGroup`] and the rest goes on: one broken add-on
//! must not keep a cluster from being backed up, and must not be passed over in silence either.

mod aggregated;
mod legacy;
mod stored;

use std::collections::BTreeSet;

pub use self::stored::Stored;

use strongroom_core::object::ResourceType;

use crate::cluster::{Cluster, ClusterError};

/// What a cluster serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Each listable type once, in its preferred version, sorted.
    pub types: Vec<ResourceType>,
    /// Every type in every served version, the preferred one first.
    pub served: Vec<ServedType>,
    /// Groups that could not be asked, sorted.
    pub broken: Vec<BrokenGroup>,
}

/// A type in one of its served versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedType {
    /// The type.
    pub resource: ResourceType,
    /// What can be done with it, as in `list`.
    pub verbs: Vec<String>,
    /// Its subresources, as in `status`.
    pub subresources: Vec<String>,
}

impl ServedType {
    /// Whether objects of it can be listed and read one by one.
    pub fn is_listable(&self) -> bool {
        self.can("list") && self.can("get")
    }

    /// Whether a verb can be done with it.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|one| one == verb)
    }
}

/// A group and version whose types are not known because nobody answers for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenGroup {
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// What the API server said.
    pub cause: String,
}

impl Discovery {
    /// The type `group`/`kind` in the version that objects of `version` can be written in: that
    /// version when it is served, else none.
    pub fn served_as(&self, group: &str, version: &str, kind: &str) -> Option<&ServedType> {
        self.served.iter().find(|one| {
            one.resource.group == group
                && one.resource.version == version
                && one.resource.kind == kind
        })
    }

    /// Types whose objects can be listed, but in no version read one by one; each once, sorted.
    pub fn listed_only(&self) -> Vec<ResourceType> {
        let name = |one: &ResourceType| (one.group.clone(), one.plural.clone());
        let mut seen: BTreeSet<_> = self.types.iter().map(name).collect();
        let listed = self.served.iter().filter(|one| one.can("list"));
        let mut found: Vec<_> = listed
            .map(|one| one.resource.clone())
            .filter(|one| seen.insert(name(one)))
            .collect();
        found.sort();
        found
    }

    /// The type `group`/`kind` in its preferred version.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&ServedType> {
        self.served.iter().find(|one| one.resource.is(group, kind))
    }

    /// All versions of one type, the preferred one first.
    pub fn versions(&self, group: &str, kind: &str) -> Vec<&str> {
        let all = self
            .served
            .iter()
            .filter(|one| one.resource.is(group, kind));
        all.map(|one| one.resource.version.as_str()).collect()
    }
}

/// Asks a cluster what it serves.
pub async fn discover(cluster: &Cluster) -> Result<Discovery, ClusterError> {
    let groups = match aggregated::ask(cluster).await? {
        Some(groups) => groups,
        None => legacy::ask(cluster).await?,
    };
    Ok(assemble(groups))
}

/// What one group and version serves at this moment, or why nobody answers for it. An aggregated API
/// answers here as soon as it answers at all; the API server's own documents tell of it seconds later.
pub async fn discover_version(
    cluster: &Cluster,
    group: &str,
    version: &str,
) -> Result<Result<Vec<ServedType>, String>, ClusterError> {
    let asked = legacy::one(cluster.clone(), group.to_owned(), version.to_owned());
    Ok(asked.await?.outcome)
}

/// What one group and version serves; the versions of a group come in order of preference.
#[derive(Debug)]
struct GroupVersion {
    group: String,
    version: String,
    outcome: Result<Vec<ServedType>, String>,
}

fn assemble(groups: Vec<GroupVersion>) -> Discovery {
    let mut discovery = Discovery::default();
    let mut seen = BTreeSet::new();
    for one in groups {
        match one.outcome {
            Ok(types) => {
                for served in types {
                    let key = (
                        served.resource.group.clone(),
                        served.resource.plural.clone(),
                    );
                    // The first version that has the type is the preferred one of the type, also
                    // when the group's preferred version lacks it.
                    if served.is_listable() && seen.insert(key) {
                        discovery.types.push(served.resource.clone());
                    }
                    discovery.served.push(served);
                }
            }
            Err(cause) => discovery.broken.push(BrokenGroup {
                group: one.group,
                version: one.version,
                cause,
            }),
        }
    }
    discovery.types.sort();
    discovery.broken.sort();
    discovery
}

#[cfg(test)]
mod tests;
