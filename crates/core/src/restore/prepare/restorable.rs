//! Whether an object of a recovery point is restored, or left to what makes it anew.
//!
//! Contract: asked with the object as it was stored. Everything is restored that nothing else makes;
//! an object is left only by a named rule.

use serde_json::Value;

use super::finished;
use crate::object::{ObjectFacts, ResourceType};
use crate::selection::{Decision, Rule};

/// Finalizer of a pod that its Job has not counted yet.
/// Source: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers>
const JOB_TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Decides whether to restore one object.
#[must_use]
pub fn restorable(resource: &ResourceType, facts: &ObjectFacts, object: &Value) -> Decision {
    if facts.terminating {
        return Decision::exclude(Rule::ObjectWasTerminating);
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod(resource, facts, object),
        ("", "ServiceAccount") if facts.object.name == "default" => {
            Decision::include(Rule::DefaultServiceAccountPatched)
        }
        ("", "ConfigMap") if facts.object.name == "kube-root-ca.crt" => {
            Decision::exclude(Rule::MadeByControllerManager)
        }
        ("", "PersistentVolume") => volume(facts, object),
        ("snapshot.storage.k8s.io", "VolumeSnapshotContent") => content(object),
        // A claim of a pod's own, made from an ephemeral volume, is made again with the pod.
        // https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
        ("", "PersistentVolumeClaim") | ("resource.k8s.io", "ResourceClaim")
            if owned_by_pod(facts) =>
        {
            Decision::exclude(Rule::ControllerRecreates)
        }
        ("", "Endpoints") | ("discovery.k8s.io", "EndpointSlice") if computed(object) => {
            Decision::exclude(Rule::EndpointsFollowService)
        }
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            Decision::exclude(Rule::CertificateRequestIsMomentary)
        }
        ("batch", "Job") if finished::detect(resource, object).is_some() => {
            Decision::include(Rule::FinishedRunKept)
        }
        _ if super::owners::is_adopted_by_controller(resource, facts) => {
            Decision::include(Rule::HistoryAdopted)
        }
        _ => Decision::include(Rule::Restorable),
    }
}

/// A pod of a controller is made anew by it. A pod that a Job has run to its end and counted is not: it
/// is the record of that run.
fn pod(resource: &ResourceType, facts: &ObjectFacts, object: &Value) -> Decision {
    let ended = finished::detect(resource, object).is_some();
    // https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
    if facts
        .annotations
        .contains_key("kubernetes.io/config.mirror")
    {
        return Decision::exclude(Rule::StaticPod);
    }
    match facts.controller() {
        None if ended => Decision::include(Rule::FinishedRunKept),
        None => Decision::include(Rule::Restorable),
        Some(owner) if owner.kind == "Node" => Decision::exclude(Rule::StaticPod),
        Some(owner)
            if owner.kind == "Job"
                && owner.group() == "batch"
                && ended
                && !is_uncounted(object) =>
        {
            Decision::include(Rule::FinishedRunKept)
        }
        Some(_) => Decision::exclude(Rule::ControllerRecreates),
    }
}

fn is_uncounted(object: &Value) -> bool {
    let finalizers = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    finalizers
        .into_iter()
        .flatten()
        .any(|finalizer| finalizer == JOB_TRACKING)
}

/// A volume that was provisioned for a claim and is deleted with it is gone when the claim is; restored,
/// it would name storage that no longer exists. A retained one still exists and is reserved for its
/// claim again.
/// Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming>
fn volume(facts: &ObjectFacts, object: &Value) -> Decision {
    let provisioned = facts
        .annotations
        .contains_key("pv.kubernetes.io/provisioned-by");
    let deleted_with_claim = object
        .pointer("/spec/persistentVolumeReclaimPolicy")
        .and_then(Value::as_str)
        == Some("Delete");
    if provisioned && deleted_with_claim {
        Decision::exclude(Rule::VolumeProvisionedAgain)
    } else {
        Decision::include(Rule::Restorable)
    }
}

/// A content that was made for a snapshot and is deleted with it is gone when the snapshot is. One made
/// by hand names a snapshot that the storage has by itself.
/// Source: <https://kubernetes.io/docs/concepts/storage/volume-snapshots/#volume-snapshot-contents>
fn content(object: &Value) -> Decision {
    let taken_of_a_volume = object.pointer("/spec/source/volumeHandle").is_some();
    let deleted_with_snapshot = object
        .pointer("/spec/deletionPolicy")
        .and_then(Value::as_str)
        == Some("Delete");
    if taken_of_a_volume && deleted_with_snapshot {
        Decision::exclude(Rule::SnapshotTakenAgain)
    } else {
        Decision::include(Rule::Restorable)
    }
}

fn owned_by_pod(facts: &ObjectFacts) -> bool {
    facts
        .controller()
        .is_some_and(|owner| owner.kind == "Pod" && owner.api_version == "v1")
}

/// Endpoints that the controller manager wrote: it marks them in managedFields whatever the version.
fn computed(object: &Value) -> bool {
    let managers = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers
        .into_iter()
        .flatten()
        .any(|entry| entry["manager"] == "kube-controller-manager")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_content_that_goes_with_its_snapshot_is_left_and_one_that_stays_is_restored() {
        let contents = ResourceType::new(
            "snapshot.storage.k8s.io",
            "v1",
            "VolumeSnapshotContent",
            "volumesnapshotcontents",
            false,
        );
        let decided = |policy: &str, source: Value| {
            let object = json!({"metadata": {"name": "c"}, "spec": {"deletionPolicy": policy, "source": source}});
            restorable(&contents, &ObjectFacts::of(&contents, &object), &object).rule
        };
        let of_volume = json!({"volumeHandle": "v"});
        assert_eq!(
            decided("Delete", of_volume.clone()),
            Rule::SnapshotTakenAgain
        );
        assert_eq!(decided("Retain", of_volume), Rule::Restorable);
        assert_eq!(
            decided("Delete", json!({"snapshotHandle": "s"})),
            Rule::Restorable
        );
    }
}
