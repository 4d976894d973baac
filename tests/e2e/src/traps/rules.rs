//! What may differ after a restore without a line in its report, and why: the written table.
//!
//! Contract: a row forgives one place of one kind. Whatever no row forgives must be explained by the
//! report, object by object. Rows that hold for some objects only say so in `holds`.

use std::collections::BTreeSet;

use serde_json::Value;

/// One row.
pub(super) struct Rule {
    /// The kind, or `*`.
    pub(super) kind: &'static str,
    /// The place, in segments; `*` is any one segment, and what is below the place is meant too.
    pub(super) place: &'static str,
    /// Why it differs.
    pub(super) why: &'static str,
    /// For which objects, given before and after.
    pub(super) holds: fn(&Value, &Value) -> bool,
}

const fn row(kind: &'static str, place: &'static str, why: &'static str) -> Rule {
    Rule {
        kind,
        place,
        why,
        holds: |_, _| true,
    }
}

const fn some(
    kind: &'static str,
    place: &'static str,
    why: &'static str,
    holds: fn(&Value, &Value) -> bool,
) -> Rule {
    Rule {
        kind,
        place,
        why,
        holds,
    }
}

/// Every row.
pub(super) const RULES: &[Rule] = &[
    row("*", "/metadata/uid", "every object has a uid of its own"),
    row(
        "*",
        "/metadata/resourceVersion",
        "it counts changes in the store of one cluster",
    ),
    row(
        "*",
        "/metadata/creationTimestamp",
        "the API server writes when the object was made",
    ),
    row(
        "*",
        "/metadata/generation",
        "the API server counts changes of the specification",
    ),
    row(
        "*",
        "/metadata/ownerReferences/*/uid",
        "owners have new uids",
    ),
    some(
        "*",
        "/status",
        "controllers observe the new object and write its status",
        is_observed,
    ),
    row(
        "Pod",
        "/status/hostIP",
        "the address belongs to the node that it ran on",
    ),
    row(
        "Pod",
        "/status/hostIPs",
        "the address belongs to the node that it ran on",
    ),
    row(
        "Pod",
        "/status/podIP",
        "the address belongs to the node that it ran on",
    ),
    row(
        "Pod",
        "/status/podIPs",
        "the address belongs to the node that it ran on",
    ),
    row(
        "Pod",
        "/spec/nodeName",
        "the scheduler chooses a node of this cluster",
    ),
    row(
        "Pod",
        "/spec/ephemeralContainers",
        "they can only be added to a running pod",
    ),
    row(
        "Pod",
        "/metadata/labels/controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Pod",
        "/metadata/labels/batch.kubernetes.io~1controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Job",
        "/metadata/labels/controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Job",
        "/metadata/labels/batch.kubernetes.io~1controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Job",
        "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Job",
        "/spec/template/metadata/labels/controller-uid",
        "it is the Job's uid",
    ),
    row(
        "Job",
        "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid",
        "it is the Job's uid",
    ),
    some(
        "PersistentVolumeClaim",
        "/spec/volumeName",
        "its volume was provisioned for it and went with it",
        is_provisioned,
    ),
    some(
        "PersistentVolumeClaim",
        "/metadata/annotations/pv.kubernetes.io~1bind-completed",
        "the volume controller writes it when it binds",
        |_, _| true,
    ),
    some(
        "PersistentVolumeClaim",
        "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
        "the volume controller writes it when it binds",
        |_, _| true,
    ),
    some(
        "PersistentVolumeClaim",
        "/spec/dataSource",
        "its data came from the snapshot of the recovery point",
        |_, is| comes_from_a_recovery_point(is, "dataSource"),
    ),
    some(
        "PersistentVolumeClaim",
        "/spec/dataSourceRef",
        "its data came from the snapshot of the recovery point",
        |_, is| comes_from_a_recovery_point(is, "dataSourceRef"),
    ),
    row(
        "PersistentVolume",
        "/spec/claimRef/uid",
        "the claim has a new uid",
    ),
    row(
        "PersistentVolume",
        "/spec/claimRef/resourceVersion",
        "it counts changes in the store of one cluster",
    ),
    some(
        "Secret",
        "/data/token",
        "it is signed for the new account",
        is_account_token,
    ),
    some(
        "Secret",
        "/data/ca.crt",
        "it is this cluster's",
        is_account_token,
    ),
    some(
        "Secret",
        "/metadata/annotations/kubernetes.io~1service-account.uid",
        "the account has a new uid",
        is_account_token,
    ),
    row(
        "VolumeSnapshotContent",
        "/spec/volumeSnapshotRef/uid",
        "the snapshot has a new uid",
    ),
    row(
        "VolumeSnapshotContent",
        "/spec/volumeSnapshotRef/resourceVersion",
        "it counts changes in the store of one cluster",
    ),
    row(
        "IPAddress",
        "/spec/parentRef/uid",
        "the Service has a new uid",
    ),
    row("Event", "", "it tells what goes on now"),
    some(
        "*",
        "/metadata/managers",
        "what the cluster had filled in counts as its maker's",
        has_the_same_managers,
    ),
    row(
        "Endpoints",
        "/metadata/annotations/endpoints.kubernetes.io~1last-change-trigger-time",
        "the endpoints controller notes when it last acted",
    ),
    row(
        "HorizontalPodAutoscaler",
        "/metadata/annotations/autoscaling.alpha.kubernetes.io~1conditions",
        "version 1 shows the status so",
    ),
    row(
        "HorizontalPodAutoscaler",
        "/metadata/annotations/autoscaling.alpha.kubernetes.io~1current-metrics",
        "version 1 shows the status so",
    ),
];

/// Whether the same managers own the object by the same operations, and those that applied it own the
/// very same fields. What a manager owns by an update may be more: the cluster had filled in an address
/// or a finalizer, and the restore names it. The manager of a status that is not restored goes with it.
fn has_the_same_managers(before: &Value, after: &Value) -> bool {
    let observed = is_observed(before, after);
    let of = |object: &Value| -> BTreeSet<String> {
        let entries = object["metadata"]["managedFields"].as_array();
        let kept = entries.into_iter().flatten().filter(|entry| {
            let manager = entry["manager"].as_str().unwrap_or_default();
            let goes = entry["subresource"] == "status" && observed
                || entry["subresource"] == "ephemeralcontainers";
            !goes && !OF_THE_CLUSTER.contains(&manager)
        });
        kept.map(|entry| {
            let applied = if entry["operation"] == "Apply" {
                entry["fieldsV1"].to_string()
            } else {
                String::new()
            };
            format!(
                "{} {} {} {applied}",
                entry["manager"], entry["operation"], entry["subresource"]
            )
        })
        .collect()
    };
    of(before) == of(after)
}

/// Managers that are parts of the cluster and write their fields again when they act again.
pub(super) const OF_THE_CLUSTER: [&str; 5] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-apiserver",
    "csi-provisioner",
];

/// Kinds whose lost objects a type's line in the backup's report explains, and whose new ones nothing
/// but the cluster makes.
pub(super) const MADE_BY_THE_CLUSTER: [&str; 3] = ["Event", "EndpointSlice", "Endpoints"];

/// The status of a built-in type is observed, but for what had finished: that is kept.
fn is_observed(before: &Value, _after: &Value) -> bool {
    let api_version = before["apiVersion"].as_str().unwrap_or_default();
    let custom = api_version.starts_with("trap.example.com/");
    let phase = before.pointer("/status/phase").and_then(Value::as_str);
    let finished_pod = before["kind"] == "Pod" && matches!(phase, Some("Succeeded" | "Failed"));
    let ended = |one: &Value| {
        matches!(one["type"].as_str(), Some("Complete" | "Failed")) && one["status"] == "True"
    };
    let finished_job = before["kind"] == "Job"
        && before["status"]["conditions"]
            .as_array()
            .is_some_and(|all| all.iter().any(ended));
    !custom && !finished_pod && !finished_job
}

fn is_provisioned(before: &Value, after: &Value) -> bool {
    [before, after].iter().all(|claim| {
        claim["spec"]["volumeName"]
            .as_str()
            .is_some_and(|name| name.starts_with("pvc-"))
    })
}

/// A restore names the snapshots that it makes for claims after itself.
fn comes_from_a_recovery_point(claim: &Value, field: &str) -> bool {
    let source = &claim["spec"][field];
    source["kind"] == "VolumeSnapshot"
        && source["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("strongroom-restore-"))
}

fn is_account_token(before: &Value, after: &Value) -> bool {
    before["type"] == "kubernetes.io/service-account-token"
        && after["data"]["token"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
}
