//! Which VolumeSnapshotClass a driver's snapshots are taken by.
//!
//! Contract: what the snapshot resource group says for the driver wins, then the class that somebody labelled
//! for us, then the published default of the group, then the driver's default class, then its only one.
//! Several without any of that are no choice: the classes of a driver differ in where snapshots go and what
//! they cost, and a guess would be wrong quietly.

use std::collections::BTreeMap;

use serde_json::Value;

use super::given::GivenClass;

/// The label by which a cluster's administrator says that snapshots of recovery points are taken by this
/// class: `true`.
pub const CLASS_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/snapshot-class";

/// The value of [`CLASS_LABEL`] on the classes that the extension makes of what a snapshot resource group
/// says. They are nobody's choice but that group's.
pub const CLASS_MADE: &str = "made";

/// The annotation of a driver's default class.
/// Source: `IsDefaultSnapshotClassAnnotation` in external-snapshotter `pkg/utils/util.go`, v8.6.
const DEFAULT_ANNOTATION: &str = "snapshot.storage.kubernetes.io/is-default-class";

/// The same of a VolumeGroupSnapshotClass.
/// Source: `IsDefaultGroupSnapshotClassAnnotation`, the same file.
const DEFAULT_GROUP_ANNOTATION: &str = "groupsnapshot.storage.kubernetes.io/is-default-class";

/// What a choice reads of a VolumeSnapshotClass, or a VolumeGroupSnapshotClass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotClass {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Whether it is labelled for us.
    pub ours: bool,
    /// Whether it is the driver's default.
    pub default: bool,
    /// Whether an extension made it.
    pub made: bool,
    /// Its parameters, as the driver understands them.
    pub parameters: BTreeMap<String, String>,
}

impl SnapshotClass {
    /// The facts of a VolumeSnapshotClass.
    #[must_use]
    pub fn of(class: &Value) -> Self {
        Self::read(class, DEFAULT_ANNOTATION)
    }

    /// The facts of a VolumeGroupSnapshotClass.
    #[must_use]
    pub fn of_group(class: &Value) -> Self {
        Self::read(class, DEFAULT_GROUP_ANNOTATION)
    }

    fn read(class: &Value, default: &str) -> Self {
        let metadata = &class["metadata"];
        let is_true = |map: &Value, key: &str| map[key].as_str() == Some("true");
        let parameters = class["parameters"].as_object().into_iter().flatten();
        Self {
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            driver: class["driver"].as_str().unwrap_or_default().to_owned(),
            ours: is_true(&metadata["labels"], CLASS_LABEL),
            made: metadata["labels"][CLASS_LABEL].as_str() == Some(CLASS_MADE),
            default: is_true(&metadata["annotations"], default),
            parameters: parameters
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }
}

/// A choice among the classes of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    Class {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// There is none to choose.
    None {
        /// Why, and what would help.
        reason: String,
    },
}

/// The class for a driver's snapshots: one of the cluster's `classes`, or one that the extension of this
/// namespace makes of what is `given`.
#[must_use]
pub fn choose(
    driver: &str,
    classes: &[SnapshotClass],
    given: &[GivenClass],
    extension: &str,
) -> Choice {
    let given = given.iter().find(|class| class.driver == driver);
    let labelled = |class: &SnapshotClass| class.driver == driver && class.ours;
    match given {
        Some(given) if !given.by_default => Choice::Class {
            name: given.name(extension),
            reason: "the snapshot resource group says so",
        },
        Some(given) if !classes.iter().any(labelled) => Choice::Class {
            name: given.name(extension),
            reason: "it is the default of this driver for a snapshot resource group",
        },
        _ => of_cluster("VolumeSnapshotClass", driver, classes),
    }
}

/// The class for a driver's snapshots of those that the cluster brings; `kind` is what they are.
pub(super) fn of_cluster(kind: &str, driver: &str, classes: &[SnapshotClass]) -> Choice {
    let mut of_driver: Vec<&SnapshotClass> = classes
        .iter()
        .filter(|class| class.driver == driver && !class.made)
        .collect();
    of_driver.sort_by(|a, b| a.name.cmp(&b.name));
    let class = |class: &SnapshotClass, reason| Choice::Class {
        name: class.name.clone(),
        reason,
    };
    let names = |classes: &[&SnapshotClass]| {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        names.join(", ")
    };
    let ours: Vec<&SnapshotClass> = of_driver.iter().copied().filter(|one| one.ours).collect();
    let default: Vec<&SnapshotClass> = of_driver
        .iter()
        .copied()
        .filter(|one| one.default)
        .collect();
    match (ours.as_slice(), default.as_slice(), of_driver.as_slice()) {
        ([one], _, _) => class(one, "it is labelled for backups"),
        ([_, _, ..], _, _) => Choice::None {
            reason: format!(
                "several {kind}es of driver {driver} have the label {CLASS_LABEL}=true ({}); one may have it",
                names(&ours)
            ),
        },
        (_, [one], _) => class(one, "it is the driver's default"),
        (_, _, [one]) => class(one, "it is the driver's only one"),
        (_, _, []) => Choice::None {
            reason: format!("the driver {driver} has no {kind}"),
        },
        (_, _, all) => Choice::None {
            reason: format!(
                "the driver {driver} has several {kind}es ({}); label one {CLASS_LABEL}=true",
                names(all)
            ),
        },
    }
}
