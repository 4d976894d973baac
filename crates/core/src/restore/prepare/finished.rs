//! Jobs and pods that had finished: restored as finished, never run again.
//!
//! Contract: such an object is created so that nothing starts (a Job suspended, a Pod behind a
//! scheduling gate), then gets its old status, then is released. A controller that meets it at any
//! moment finds either something that must not start or something that has ended.
//! Sources: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/>

use serde_json::{Value, json};

use super::Prepared;
use crate::object::ResourceType;
use crate::pointer;

/// Name of the scheduling gate that holds a finished pod until its status is written.
pub(super) const GATE: &str = "clusterbackup.dataprotection.microsoft.com/finished";

/// What had finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    Job,
    Pod,
}

/// Whether the object is a Job or Pod that had finished when it was read.
pub(super) fn detect(resource: &ResourceType, object: &Value) -> Option<Finished> {
    if resource.is("batch", "Job") {
        let conditions = object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let ended = conditions.into_iter().flatten().any(|condition| {
            matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
                && condition["status"] == "True"
        });
        return ended.then_some(Finished::Job);
    }
    if resource.is("", "Pod") {
        let phase = object.pointer("/status/phase").and_then(Value::as_str);
        return matches!(phase, Some("Succeeded" | "Failed")).then_some(Finished::Pod);
    }
    None
}

/// Makes the object one that does not start, and says how it is released.
pub(super) fn hold(
    finished: Finished,
    object: &mut Value,
    mut status: Value,
    prepared: &mut Prepared,
) {
    match finished {
        Finished::Job => {
            // The API server refuses a finished status that still has pods to count.
            pointer::remove(&mut status, "/uncountedTerminatedPods");
            let before = object
                .pointer("/spec/suspend")
                .cloned()
                .unwrap_or(Value::Null);
            if pointer::set(object, "/spec/suspend", json!(true)) {
                prepared.release = Some(json!({"spec": {"suspend": before}}));
                prepared.status = Some(status);
            }
        }
        Finished::Pod => {
            // Addresses belong to the node that the pod ran on.
            for field in [
                "/hostIP",
                "/hostIPs",
                "/podIP",
                "/podIPs",
                "/nominatedNodeName",
                "/resize",
            ] {
                pointer::remove(&mut status, field);
            }
            if pointer::set(object, "/spec/schedulingGates", json!([{"name": GATE}])) {
                prepared.release = Some(json!({"spec": {"schedulingGates": null}}));
                prepared.status = Some(status);
            }
        }
    }
}
