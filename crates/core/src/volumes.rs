//! What becomes of the data of a claim in a backup, and by which class its volume snapshot is taken.
//!
//! Contract: [`decide`] is a pure function of a claim, its volume and what the cluster offers; it answers
//! with a class or with the reason why there is no snapshot. Names follow from the recovery point and
//! the claim ([`name`]), so that taking a snapshot twice is taking it once.

pub mod class;
pub mod given;
pub mod group;
pub mod name;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use self::class::{CLASS_LABEL, CLASS_MADE, Choice, SnapshotClass, choose};
pub use self::given::GivenClass;
use crate::error::Code;

/// The published volume types of a backup configuration (`includedVolumeTypes`), each with the driver that
/// it means. Every other value is the name of a CSI driver.
/// Source: `AKSVolumeTypes` in the published models of `Microsoft.DataProtection`; the drivers:
/// <https://learn.microsoft.com/azure/aks/csi-storage-drivers>
pub const PUBLISHED_TYPES: &[(&str, &str)] = &[
    ("AzureDisk", "disk.csi.azure.com"),
    ("AzureFileShareSMB", "file.csi.azure.com"),
];

/// Where a claim stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No volume yet.
    #[default]
    Pending,
    /// A volume is bound to it.
    Bound,
    /// The volume that was bound to it is gone.
    Lost,
}

/// What a decision reads of a PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The volume that it names; empty when it names none.
    pub volume: String,
    /// Its storage class; empty when it names none.
    pub storage_class: String,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// As in `ReadWriteOnce`.
    pub access_modes: Vec<String>,
    /// Where it stands.
    pub phase: Phase,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl ClaimFacts {
    /// The facts of a claim. What is absent is empty: a decision must be possible over any object.
    #[must_use]
    pub fn of(claim: &Value) -> Self {
        let (metadata, spec) = (&claim["metadata"], &claim["spec"]);
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            volume: text(&spec["volumeName"]),
            storage_class: text(&spec["storageClassName"]),
            volume_mode: volume_mode(spec),
            access_modes: texts(&spec["accessModes"]),
            phase: match claim["status"]["phase"].as_str() {
                Some("Bound") => Phase::Bound,
                Some("Lost") => Phase::Lost,
                _ => Phase::Pending,
            },
            terminating: metadata["deletionTimestamp"].is_string(),
        }
    }
}

/// What a decision reads of a PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// The CSI driver; none when the volume is not one of CSI.
    pub driver: Option<String>,
    /// The name under which the driver knows it; empty when it has no driver.
    pub handle: String,
    /// What it is otherwise, as the field of its spec is named: `hostPath`, `nfs`.
    pub kind: String,
    /// As in `ext4`; empty when it does not say.
    pub fs_type: String,
    /// Bytes; 0 when it does not say.
    pub capacity: u64,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
}

impl VolumeFacts {
    /// The facts of a volume.
    #[must_use]
    pub fn of(volume: &Value) -> Self {
        let spec = &volume["spec"];
        let csi = &spec["csi"];
        Self {
            driver: csi["driver"].as_str().map(str::to_owned),
            handle: text(&csi["volumeHandle"]),
            kind: source_of(spec),
            fs_type: text(&csi["fsType"]),
            capacity: spec["capacity"]["storage"]
                .as_str()
                .and_then(bytes_of)
                .unwrap_or_default(),
            volume_mode: volume_mode(spec),
        }
    }
}

/// What a cluster and a configuration offer for snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Whether the cluster serves volume snapshots at all.
    pub served: bool,
    /// The VolumeSnapshotClasses.
    pub classes: Vec<SnapshotClass>,
    /// What the snapshot resource group says of drivers.
    pub given: Vec<GivenClass>,
    /// The namespace of the extension that makes classes of it.
    pub extension: String,
    /// The volume types that the configuration names; empty means all.
    pub types: Vec<String>,
}

/// What becomes of a claim's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A snapshot is taken by this class.
    Snapshot {
        /// The class's name.
        class: String,
        /// Why this one.
        reason: &'static str,
    },
    /// None is taken.
    Without {
        /// The code of the finding; none when the configuration says that the data are not wanted.
        code: Option<Code>,
        /// Why.
        reason: String,
    },
}

impl Verdict {
    fn finding(code: Code, reason: impl Into<String>) -> Self {
        Self::Without {
            code: Some(code),
            reason: reason.into(),
        }
    }
}

/// What becomes of the data of a claim. `volume` is the one that the claim names, when it is there.
#[must_use]
pub fn decide(claim: &ClaimFacts, volume: Option<&VolumeFacts>, offer: &Offer) -> Verdict {
    let unprotected = |reason: String| Verdict::finding(Code::VolumeDataNotProtected, reason);
    if claim.terminating {
        return unprotected(
            "the claim is being deleted; the API takes no snapshot of it any more".to_owned(),
        );
    }
    match claim.phase {
        Phase::Pending => {
            let reason = "no volume is bound to the claim yet (a class that waits for its first consumer binds one when a pod uses the claim), so there are no data";
            return Verdict::finding(Code::UserErrorPVCNotBoundToVolume, reason);
        }
        Phase::Lost => {
            let reason = format!(
                "the volume {} that was bound to the claim is gone",
                claim.volume
            );
            return Verdict::finding(Code::UserErrorPVCHasNoVolume, reason);
        }
        Phase::Bound => {}
    }
    let Some(volume) = volume else {
        let reason = format!(
            "the volume {} that the claim is bound to is not there",
            claim.volume
        );
        return Verdict::finding(Code::UserErrorPVNotFound, reason);
    };
    let Some(driver) = volume.driver.as_deref() else {
        return unprotected(format!(
            "the volume {} is a {} volume of no CSI driver, and only CSI drivers take snapshots",
            claim.volume, volume.kind
        ));
    };
    if let Some(verdict) = not_chosen(driver, &offer.types) {
        return verdict;
    }
    if !offer.served {
        return unprotected(
            "the cluster does not serve VolumeSnapshot (snapshot.storage.k8s.io/v1): its snapshot controller is not installed".to_owned(),
        );
    }
    match choose(driver, &offer.classes, &offer.given, &offer.extension) {
        Choice::Class { name, reason } => Verdict::Snapshot {
            class: name,
            reason,
        },
        Choice::None { reason } => Verdict::finding(Code::VolumeSnapshotClassMissing, reason),
    }
}

/// The verdict on a driver that a configuration leaves out; none when it is chosen.
fn not_chosen(driver: &str, types: &[String]) -> Option<Verdict> {
    let published = |name: &str| {
        let found = PUBLISHED_TYPES
            .iter()
            .find(|(published, _)| published.eq_ignore_ascii_case(name));
        found.map(|(_, driver)| *driver)
    };
    let chosen = |name: &String| published(name).unwrap_or(name) == driver;
    if types.is_empty() || types.iter().any(chosen) {
        return None;
    }
    let reason = format!(
        "the configuration takes volumes of {} only, this one is of {driver}",
        types.join(", ")
    );
    // Whoever chooses among the published types means it. The published types cannot name other
    // drivers, so to leave those out may not be what was meant.
    let meant = PUBLISHED_TYPES.iter().any(|(_, known)| *known == driver)
        || !types.iter().all(|name| published(name).is_some());
    Some(Verdict::Without {
        code: (!meant).then_some(Code::VolumeDataNotProtected),
        reason,
    })
}

/// The field of a volume's spec that says what it is, as in `hostPath`.
fn source_of(spec: &Value) -> String {
    const OTHERS: &[&str] = &[
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let fields = spec.as_object().into_iter().flatten();
    fields
        .map(|(name, _)| name.as_str())
        .find(|name| !OTHERS.contains(name))
        .unwrap_or("unknown")
        .to_owned()
}

/// Bytes of a quantity such as `10Gi` or `1.5G`; none when it is not one.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
#[must_use]
pub fn bytes_of(quantity: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
    ];
    let unit = UNITS
        .iter()
        .find_map(|(suffix, factor)| Some((quantity.strip_suffix(suffix)?, *factor)));
    let (number, factor) = unit.unwrap_or((quantity, 1));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 18 {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled: u128 = format!("{whole}{fraction}").parse().ok()?;
    // Rounded up, as the API does.
    u64::try_from(scaled.checked_mul(factor.into())?.div_ceil(scale)).ok()
}

fn volume_mode(spec: &Value) -> String {
    spec["volumeMode"]
        .as_str()
        .unwrap_or("Filesystem")
        .to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|one| Some(one.as_str()?.to_owned()))
        .collect()
}
