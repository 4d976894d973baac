//! What changes by itself in what is none of the sample's, while the sample is lost and restored: the
//! written list. Whatever else of the cluster is touched, by whomever, fails the judgement.

use super::snapshot::Identity;

/// One row.
pub(super) struct Noise {
    /// The kind.
    pub(super) kind: &'static str,
    /// Namespace and the beginning of the name, as `namespace/front`; `*` for any.
    pub(super) name: &'static str,
    /// The place that changes, with all below it; empty when the object itself may come and go.
    pub(super) place: &'static str,
    /// Why.
    pub(super) why: &'static str,
}

/// Every row.
pub(super) const NOISE: &[Noise] = &[
    Noise {
        kind: "Event",
        name: "*",
        place: "",
        why: "events come and expire",
    },
    Noise {
        kind: "Lease",
        name: "*",
        place: "/spec/renewTime",
        why: "whoever leads says so every few seconds",
    },
    Noise {
        kind: "Node",
        name: "*",
        place: "/status",
        why: "the kubelet says how its node is",
    },
    Noise {
        kind: "ConfigMap",
        name: "dataprotection-microsoft/recovery-point-",
        place: "",
        why: "the extension's ledger of the volume snapshots of a recovery point goes with the point",
    },
    Noise {
        kind: "BackupExtension",
        name: "dataprotection-microsoft/",
        place: "/status",
        why: "the extension says that it lives",
    },
];

/// The row that explains a place of an object, or (with an empty place) that it came or went.
pub(super) fn row_of(object: &Identity, place: &str) -> Option<usize> {
    let name = format!("{}/{}", object.namespace, object.name);
    let about =
        |row: &Noise| row.kind == object.kind && (row.name == "*" || name.starts_with(row.name));
    // Whoever writes a place counts up the version, and is noted.
    let written = ["/metadata/resourceVersion", "/metadata/managedFields"]
        .iter()
        .any(|one| place.starts_with(one));
    NOISE.iter().position(|row| {
        about(row)
            && (row.place.is_empty()
                || written
                || (!place.is_empty() && place.starts_with(row.place)))
    })
}
