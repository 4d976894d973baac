//! Resource ids in the published case, from names.
//!
//! These functions only put names together; the server says which names are valid. What could make
//! a request go elsewhere (an empty name, `.`, `..`, a slash) is refused when the URL is built.

/// A resource group: where most resources live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group's name.
    pub name: String,
}

impl Group {
    /// `/subscriptions/{s}/resourceGroups/{g}`.
    #[must_use]
    pub fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription, self.name
        )
    }

    /// A resource of `provider/type` in the group.
    #[must_use]
    pub fn resource(&self, provider: &str, resource_type: &str, name: &str) -> String {
        format!("{}/providers/{provider}/{resource_type}/{name}", self.id())
    }

    /// `…/Microsoft.DataProtection/backupVaults/{name}`.
    #[must_use]
    pub fn vault(&self, name: &str) -> String {
        self.resource("Microsoft.DataProtection", "backupVaults", name)
    }

    /// `…/Microsoft.Storage/storageAccounts/{name}`.
    #[must_use]
    pub fn storage_account(&self, name: &str) -> String {
        self.resource("Microsoft.Storage", "storageAccounts", name)
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster(&self, kind: ClusterKind, name: &str) -> String {
        self.resource(kind.provider(), kind.collection(), name)
    }
}

/// Which provider a cluster is registered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterKind {
    /// `Microsoft.Kubernetes/connectedClusters`: any cluster.
    #[default]
    Connected,
    /// `Microsoft.ContainerService/managedClusters`: as AKS clients name them.
    Managed,
}

impl ClusterKind {
    /// The provider's namespace.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Self::Connected => "Microsoft.Kubernetes",
            Self::Managed => "Microsoft.ContainerService",
        }
    }

    /// The collection.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Self::Connected => "connectedClusters",
            Self::Managed => "managedClusters",
        }
    }
}

/// A child of a resource: `{parent}/{collection}/{name}`.
#[must_use]
pub fn child(parent: &str, collection: &str, name: &str) -> String {
    format!("{}/{collection}/{name}", parent.trim_end_matches('/'))
}

/// The last segment of an id (of a name: the name).
#[must_use]
pub fn name(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}

/// The resource type of an id, for example `Microsoft.Kubernetes/connectedClusters`; of an extension
/// resource that of the last provider in the id.
#[must_use]
pub fn resource_type(id: &str) -> Option<String> {
    let lower = id.to_ascii_lowercase();
    let start = lower.rfind("/providers/")? + "/providers/".len();
    let mut segments = id.get(start..)?.split('/');
    let mut text = segments.next()?.to_owned();
    // Types and names alternate after the provider.
    for segment in segments.step_by(2) {
        text.push('/');
        text.push_str(segment);
    }
    Some(text)
}

/// The value after the segment `key` (any case), for example `resourceGroups`.
#[must_use]
pub fn segment<'a>(id: &'a str, key: &str) -> Option<&'a str> {
    let mut segments = id.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case(key))?;
    segments.next().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group {
            subscription: "s-1".into(),
            name: "rg".into(),
        }
    }

    #[test]
    fn ids_are_in_the_published_case() {
        let vault = group().vault("v");
        assert_eq!(
            vault,
            "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v"
        );
        assert_eq!(
            child(&vault, "backupPolicies", "p"),
            format!("{vault}/backupPolicies/p")
        );
        assert_eq!(
            group().cluster(ClusterKind::Managed, "c"),
            "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c"
        );
    }

    #[test]
    fn parts_of_an_id_can_be_read() {
        let id = child(&group().vault("v"), "backupInstances", "i");
        assert_eq!(name(&id), "i");
        assert_eq!(
            resource_type(&id).as_deref(),
            Some("Microsoft.DataProtection/backupVaults/backupInstances")
        );
        assert_eq!(segment(&id, "resourcegroups"), Some("rg"));
        assert_eq!(segment(&id, "BackupVaults"), Some("v"));
        assert_eq!(segment(&id, "backupJobs"), None);
        assert_eq!(resource_type("plain"), None);
    }
}
