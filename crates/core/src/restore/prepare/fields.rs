//! The table of fields that a cluster assigns: removed before a create, ignored by comparisons.
//!
//! Contract: one row for each field with its reason and a source. A row matches when group and kind
//! match (`*` matches all) and removes every field that its pattern reaches; `when` narrows a row to
//! objects for which the reason holds. Fields that are *not* here are restored as they were; notably
//! kept are finalizers (but for one of claims: see `claims`), generateName, webhooks' caBundle, node
//! ports, cluster IPs, revision annotations and a Namespace's spec.finalizers.

use serde_json::Value;

use super::{Removed, claims, pods};
use crate::pointer;

/// One row of the table.
#[derive(Debug)]
pub struct FieldRule {
    /// API group, or `*`.
    pub group: &'static str,
    /// Kind, or `*`.
    pub kind: &'static str,
    /// Pattern of the field, see [`crate::pointer`].
    pub pattern: &'static str,
    /// For which objects the row holds.
    pub when: When,
    /// Why the field is removed.
    pub why: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

/// Condition of a row, read from the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// For every object of the kind.
    Always,
    /// For a claim whose volume a provisioner made.
    ProvisionedClaim,
    /// For a Job whose selector the API server made.
    GeneratedSelector,
    /// For a Secret that holds a service account's token.
    ServiceAccountToken,
}

const META: &str =
    "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/";
const JOB: &str = "https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector";
const PV: &str = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding";
const SNAPSHOT: &str = "https://kubernetes.io/docs/concepts/storage/volume-snapshots/#static";
const LABELS: &str = "https://kubernetes.io/docs/reference/labels-annotations-taints/";
const TOKEN: &str = "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#token-controller";
const POD: &str = "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/";

macro_rules! row {
    ($group:literal $kind:literal $pattern:literal, $when:ident, $why:literal, $source:expr) => {
        FieldRule {
            group: $group,
            kind: $kind,
            pattern: $pattern,
            when: When::$when,
            why: $why,
            source: $source,
        }
    };
}

/// Every row.
pub const FIELDS: &[FieldRule] = &[
    row!("*" "*" "/metadata/uid", Always, "the API server gives every object a uid of its own", META),
    row!("*" "*" "/metadata/resourceVersion", Always, "it counts changes in the store of one cluster", META),
    row!("*" "*" "/metadata/generation", Always, "the API server counts changes of the specification", META),
    row!("*" "*" "/metadata/creationTimestamp", Always, "the API server writes when the object was made", META),
    row!("*" "*" "/metadata/deletionTimestamp", Always, "it says that the old object was being deleted", META),
    row!("*" "*" "/metadata/deletionGracePeriodSeconds", Always, "it says how the old object was being deleted", META),
    row!("*" "*" "/metadata/selfLink", Always, "it is no longer written or read", META),
    row!("*" "*" "/metadata/managedFields", Always, "the API server writes who set which field", META),
    row!("" "PersistentVolumeClaim" "/metadata/annotations/pv.kubernetes.io~1bind-completed", Always,
        "with it a claim without its volume counts as lost", PV),
    row!("" "PersistentVolumeClaim" "/metadata/annotations/pv.kubernetes.io~1bound-by-controller", Always,
        "the volume controller writes it when it binds", PV),
    row!("" "PersistentVolumeClaim" "/metadata/annotations/volume.kubernetes.io~1selected-node", Always,
        "the scheduler chooses a node anew", LABELS),
    row!("" "PersistentVolumeClaim" "/metadata/annotations/volume.kubernetes.io~1storage-provisioner", ProvisionedClaim,
        "the volume controller writes it when it asks the provisioner", LABELS),
    row!("" "PersistentVolumeClaim" "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner", ProvisionedClaim,
        "the volume controller writes it when it asks the provisioner", LABELS),
    row!("" "PersistentVolumeClaim" "/spec/volumeName", ProvisionedClaim,
        "the volume was provisioned for the old claim; the new one gets its own or finds the one reserved for it", PV),
    row!("" "PersistentVolume" "/metadata/annotations/pv.kubernetes.io~1bound-by-controller", Always,
        "with it the volume controller would release the volume before its claim is back", PV),
    row!("" "PersistentVolume" "/spec/claimRef/uid", Always,
        "the claim has a new uid; the name alone reserves the volume for it", PV),
    row!("" "PersistentVolume" "/spec/claimRef/resourceVersion", Always,
        "it counts changes in the store of one cluster", PV),
    row!("snapshot.storage.k8s.io" "VolumeSnapshotContent" "/spec/volumeSnapshotRef/uid", Always,
        "the snapshot has a new uid; the name alone reserves the content for it", SNAPSHOT),
    row!("snapshot.storage.k8s.io" "VolumeSnapshotContent" "/spec/volumeSnapshotRef/resourceVersion", Always,
        "it counts changes in the store of one cluster", SNAPSHOT),
    row!("groupsnapshot.storage.k8s.io" "VolumeGroupSnapshotContent" "/spec/volumeGroupSnapshotRef/uid", Always,
        "the snapshot has a new uid; the name alone reserves the content for it", SNAPSHOT),
    row!("groupsnapshot.storage.k8s.io" "VolumeGroupSnapshotContent" "/spec/volumeGroupSnapshotRef/resourceVersion", Always,
        "it counts changes in the store of one cluster", SNAPSHOT),
    row!("batch" "Job" "/spec/selector", GeneratedSelector,
        "the API server makes a selector from the new uid", JOB),
    row!("batch" "Job" "/spec/template/metadata/labels/controller-uid", GeneratedSelector,
        "it is the old Job's uid, and the API server refuses it", JOB),
    row!("batch" "Job" "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid", GeneratedSelector,
        "it is the old Job's uid, and the API server refuses it", JOB),
    row!("batch" "Job" "/metadata/labels/controller-uid", GeneratedSelector, "it is the old Job's uid", JOB),
    row!("batch" "Job" "/metadata/labels/batch.kubernetes.io~1controller-uid", GeneratedSelector,
        "it is the old Job's uid", JOB),
    row!("" "Pod" "/metadata/labels/controller-uid", Always, "it is the old Job's uid; linking the owner sets the new one", JOB),
    row!("" "Pod" "/metadata/labels/batch.kubernetes.io~1controller-uid", Always,
        "it is the old Job's uid; linking the owner sets the new one", JOB),
    row!("" "Pod" "/spec/nodeName", Always, "the scheduler chooses a node of this cluster", POD),
    row!("" "Pod" "/spec/priority", Always, "admission computes it from the priority class and refuses another value", POD),
    row!("" "Pod" "/spec/ephemeralContainers", Always,
        "they can only be added to a running pod; a create that has them is refused",
        "https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/"),
    row!("" "Secret" "/metadata/annotations/kubernetes.io~1service-account.uid", ServiceAccountToken,
        "the account has a new uid, and the token controller deletes a Secret of the old one", TOKEN),
    row!("" "Secret" "/data/token", ServiceAccountToken, "the token controller signs a token for the new account", TOKEN),
    row!("" "Secret" "/data/ca.crt", ServiceAccountToken, "the token controller writes this cluster's certificate", TOKEN),
    row!("" "Secret" "/data/namespace", ServiceAccountToken, "the token controller writes the namespace", TOKEN),
];

/// Removes every field of the table from an object; returns what was there.
pub(crate) fn strip_assigned(group: &str, kind: &str, object: &mut Value) -> Vec<Removed> {
    let rows: Vec<&FieldRule> = FIELDS
        .iter()
        .filter(|row| {
            (row.group == "*" || row.group == group) && (row.kind == "*" || row.kind == kind)
        })
        .filter(|row| row.when.holds(object))
        .collect();
    let mut removed = Vec::new();
    for row in rows {
        for path in pointer::expand(object, row.pattern) {
            if pointer::remove(object, &path).is_some() {
                removed.push(Removed {
                    pointer: path,
                    why: row.why,
                });
            }
        }
    }
    drop_emptied(object, &removed);
    if group.is_empty() && kind == "Pod" {
        removed.extend(pods::remove_injected_tokens(object));
    }
    if group.is_empty() && kind == "PersistentVolumeClaim" {
        removed.extend(claims::remove_source_guard(object));
    }
    if group == "batch" && kind == "Job" {
        removed.extend(remove_defaulted_labels(object, &removed));
    }
    removed
}

impl When {
    fn holds(self, object: &Value) -> bool {
        match self {
            Self::Always => true,
            Self::ProvisionedClaim => {
                let annotations = &object["metadata"]["annotations"];
                annotations
                    .get("volume.kubernetes.io/storage-provisioner")
                    .is_some()
                    || annotations
                        .get("volume.beta.kubernetes.io/storage-provisioner")
                        .is_some()
            }
            Self::GeneratedSelector => {
                object.pointer("/spec/manualSelector") != Some(&Value::Bool(true))
            }
            Self::ServiceAccountToken => object["type"] == "kubernetes.io/service-account-token",
        }
    }
}

/// A Job made without labels has those of its template, the old uid among them, because the API server
/// defaults them so. Without any it gets them again, with the new uid.
/// Source: `SetDefaults_Job` in `k8s.io/kubernetes/pkg/apis/batch/v1/defaults.go`; seen on 1.36.
fn remove_defaulted_labels(object: &mut Value, removed: &[Removed]) -> Option<Removed> {
    const LABELS: &str = "/metadata/labels";
    let had_uid = removed
        .iter()
        .any(|r| r.pointer.starts_with(LABELS) && r.pointer.ends_with("controller-uid"));
    let of_template = object.pointer("/spec/template/metadata/labels");
    if !had_uid || object.pointer(LABELS) != of_template {
        return None;
    }
    pointer::remove(object, LABELS)?;
    Some(Removed {
        pointer: LABELS.to_owned(),
        why: "they were the template's by default, and the API server sets them again",
    })
}

/// A map that lost its last member was made by the cluster as well: `annotations: {}` would differ from
/// an object that never had any.
fn drop_emptied(object: &mut Value, removed: &[Removed]) {
    for parent in removed
        .iter()
        .filter_map(|r| r.pointer.rsplit_once('/'))
        .map(|(parent, _)| parent)
    {
        let emptied = object
            .pointer(parent)
            .and_then(Value::as_object)
            .is_some_and(serde_json::Map::is_empty);
        if emptied
            && (parent.ends_with("/annotations")
                || parent.ends_with("/labels")
                || parent == "/data")
        {
            pointer::remove(object, parent);
        }
    }
}
