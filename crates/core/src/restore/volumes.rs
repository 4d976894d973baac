//! Where the volume of a restored claim comes from, of which class and how large it is.
//!
//! Contract: pure. [`VolumeChoices::of`] says whether a claim gets its data back; [`map_classes`] and
//! [`forget_old_source`] make the claim fit before it is compared with what exists;
//! [`take_from_snapshot`] is for the create alone, because the source of a claim cannot be changed later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Code, Problem};
use crate::object::ResourceType;
use crate::pointer;

pub mod quantity;
#[cfg(test)]
mod tests;

/// How the names of the volume snapshots begin that a restore makes for the time of provisioning. A claim
/// goes on naming its source when that is gone.
pub const SOURCE_PREFIX: &str = "strongroom-restore-";

/// The group of volume snapshots.
/// Source: <https://kubernetes.io/docs/concepts/storage/volume-snapshots/>
pub const SNAPSHOT_GROUP: &str = "snapshot.storage.k8s.io";

const SIZE: &str = "/spec/resources/requests/storage";
const CLASS: &str = "/spec/storageClassName";
/// The form before 1.6, which still wins over the field.
/// Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1>
const OLD_CLASS: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";
/// Longest name of a class. Source:
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
const CLASS_NAME_MAX: usize = 253;

/// A claim that gets its data back; published as `KubernetesPVRestoreCriteria`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimChoice {
    /// The claim's namespace in the recovery point; none for the claims of this name in all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The claim's name.
    pub name: String,
    /// The class that it gets; none for the one that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// What is chosen for volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeChoices {
    /// The claims that get their data back; none for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<ClaimChoice>>,
    /// Old class to new, wherever claims are described.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub class_mappings: BTreeMap<String, String>,
    /// Provisioner to the class of the claims that it served; the empty name stands for all. Published as
    /// `KubernetesStorageClassRestoreCriteria`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub class_of_provisioner: BTreeMap<String, String>,
    /// `namespace/claim` in the recovery point to the size that is asked for, as in `20Gi`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<String, String>,
}

/// Whether a claim gets its data back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataChoice {
    /// It does.
    With,
    /// It does not, for this reason.
    Without(&'static str),
}

impl VolumeChoices {
    /// Whether nothing is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a claim of the recovery point gets its data back.
    #[must_use]
    pub fn of(&self, restore_volumes: bool, namespace: &str, claim: &str) -> DataChoice {
        if !restore_volumes {
            return DataChoice::Without("the restore is one without the data of volumes");
        }
        match &self.claims {
            Some(_) if self.choice(namespace, claim).is_none() => {
                DataChoice::Without("it is not among the claims whose data are asked for")
            }
            _ => DataChoice::With,
        }
    }

    fn choice(&self, namespace: &str, claim: &str) -> Option<&ClaimChoice> {
        let claims = self.claims.iter().flatten();
        let mut named = claims.filter(|one| one.name == claim);
        named.find(|one| one.namespace.as_deref().is_none_or(|own| own == namespace))
    }

    /// The class that a claim gets; none when it keeps its own. What names the claim wins over what names
    /// its class, and that over what names its provisioner.
    fn class_of(&self, claim: &ClaimFacts) -> Option<&str> {
        let own = self
            .choice(&claim.namespace, &claim.name)
            .and_then(|choice| choice.storage_class.as_deref());
        let mapped = || {
            claim
                .class
                .as_ref()
                .and_then(|class| self.class_mappings.get(class))
        };
        let served = || {
            let named = claim.provisioner.as_ref();
            let by_name = named.and_then(|name| self.class_of_provisioner.get(name));
            by_name.or_else(|| self.class_of_provisioner.get(""))
        };
        own.or_else(|| mapped().or_else(served).map(String::as_str))
    }

    /// One problem for each choice that cannot be meant.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut messages = Vec::new();
        let chosen = self.claims.iter().flatten();
        messages.extend(
            chosen
                .clone()
                .filter(|choice| choice.name.is_empty())
                .map(|_| "a claim whose data are asked for has no name".to_owned()),
        );
        let classes = chosen.filter_map(|choice| choice.storage_class.as_ref());
        let classes = classes
            .chain(self.class_mappings.values())
            .chain(self.class_of_provisioner.values());
        messages.extend(
            classes
                .filter(|class| !is_class_name(class))
                .map(|class| format!("'{class}' is no name of a StorageClass")),
        );
        for (claim, size) in &self.sizes {
            if quantity::bytes(size).is_none_or(|bytes| bytes == 0) {
                messages.push(format!("'{size}' is no size for the claim {claim}"));
            }
            if claim.split('/').filter(|part| !part.is_empty()).count() != 2 {
                messages.push(format!("'{claim}' is not NAMESPACE/CLAIM"));
            }
        }
        let problems = messages.into_iter();
        problems
            .map(|message| Problem::new(Code::InvalidRequestContent, message).at("restoreCriteria"))
            .collect()
    }
}

fn is_class_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (1..=CLASS_NAME_MAX).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// What choices depend on: a claim as it was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimFacts {
    namespace: String,
    name: String,
    class: Option<String>,
    provisioner: Option<String>,
}

impl ClaimFacts {
    /// The facts of a stored claim; none of another object.
    #[must_use]
    pub fn of(resource: &ResourceType, stored: &Value) -> Option<Self> {
        if !resource.is("", "PersistentVolumeClaim") {
            return None;
        }
        let text = |path: &str| {
            stored
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        // The volume controller writes it when it asks a provisioner.
        // https://kubernetes.io/docs/reference/labels-annotations-taints/#volume-kubernetes-io-storage-provisioner
        let provisioner = text("/metadata/annotations/volume.kubernetes.io~1storage-provisioner");
        let before_1_23 =
            || text("/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner");
        Some(Self {
            namespace: text("/metadata/namespace").unwrap_or_default(),
            name: text("/metadata/name").unwrap_or_default(),
            class: text(OLD_CLASS).or_else(|| text(CLASS)),
            provisioner: provisioner.or_else(before_1_23),
        })
    }
}

/// Gives a claim the class and the size that are chosen for it, and the descriptions of claims in a
/// StatefulSet the classes that follow from the mapping of classes. Returns the pointers changed.
pub fn map_classes(
    resource: &ResourceType,
    object: &mut Value,
    claim: Option<&ClaimFacts>,
    choices: &VolumeChoices,
) -> Vec<String> {
    let mut changed = Vec::new();
    let mut put = |object: &mut Value, path: &str, value: &str| {
        if object.pointer(path).and_then(Value::as_str) != Some(value)
            && pointer::set(object, path, json!(value))
        {
            changed.push(path.to_owned());
        }
    };
    if let Some(claim) = claim {
        if let Some(class) = choices.class_of(claim) {
            if object.pointer(OLD_CLASS).is_some() {
                put(object, OLD_CLASS, class);
            }
            put(object, CLASS, class);
        }
        if let Some(size) = choices
            .sizes
            .get(&format!("{}/{}", claim.namespace, claim.name))
        {
            put(object, SIZE, size);
        }
    }
    if resource.is("apps", "StatefulSet") {
        for path in pointer::expand(object, "/spec/volumeClaimTemplates/*/spec/storageClassName") {
            let class = object.pointer(&path).and_then(Value::as_str);
            if let Some(class) = class.and_then(|class| choices.class_mappings.get(class)) {
                put(object, &path, class);
            }
        }
    }
    changed
}

/// Takes off a claim the source that an earlier restore gave it: the snapshot of that name is gone, and a
/// new claim would wait for it for ever. Returns whether there was one.
pub fn forget_old_source(resource: &ResourceType, object: &mut Value) -> bool {
    if !resource.is("", "PersistentVolumeClaim") {
        return false;
    }
    let ours = |source: &Value| {
        let name = source["name"].as_str().unwrap_or_default();
        source["kind"] == "VolumeSnapshot" && name.starts_with(SOURCE_PREFIX)
    };
    let mut had = false;
    for path in ["/spec/dataSource", "/spec/dataSourceRef"] {
        if object.pointer(path).is_some_and(ours) {
            had |= pointer::remove(object, path).is_some();
        }
    }
    had
}

/// The size of a claim that had to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// What the claim asked for; empty when it asked for nothing.
    pub from: String,
    /// What it asks for now.
    pub to: String,
}

/// Makes a claim take its data from a snapshot in its namespace. A claim that asks for less than
/// `restore_size` bytes (0 when the driver does not say) is raised to it: provisioners refuse less.
/// Source: `getSnapshotSource` in `kubernetes-csi/external-provisioner/pkg/controller/controller.go`.
pub fn take_from_snapshot(claim: &mut Value, snapshot: &str, restore_size: u64) -> Option<Raised> {
    // The API server fills this one from the other.
    // https://kubernetes.io/docs/concepts/storage/persistent-volumes/#volume-populators-and-data-sources
    pointer::remove(claim, "/spec/dataSourceRef");
    pointer::remove(claim, "/spec/volumeName");
    let source = json!({"apiGroup": SNAPSHOT_GROUP, "kind": "VolumeSnapshot", "name": snapshot});
    pointer::set(claim, "/spec/dataSource", source);
    raise(claim, restore_size)
}

/// Raises what a claim asks for to at least so many bytes. Returns what was changed.
pub fn raise(claim: &mut Value, restore_size: u64) -> Option<Raised> {
    let asked = claim
        .pointer(SIZE)
        .and_then(Value::as_str)
        .unwrap_or_default();
    let enough = quantity::bytes(asked).is_some_and(|bytes| bytes >= restore_size);
    if enough || restore_size == 0 {
        return None;
    }
    let raised = Raised {
        from: asked.to_owned(),
        to: quantity::text(restore_size),
    };
    pointer::set(claim, SIZE, json!(raised.to));
    Some(raised)
}
