//! Jobs and pods that had finished, and Jobs that had done a part: what was done is never done again.
//!
//! Contract: such an object is created so that nothing starts (a Job suspended, a Pod behind a
//! scheduling gate), then gets its old status, then is released. A controller that meets it at any
//! moment finds either something that must not start or something that has ended. Of a Job that runs
//! the status says how far it has come, from which its controller counts on.
//! Sources: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job>,
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/>

use serde_json::{Value, json};

use super::Prepared;
use crate::object::ResourceType;
use crate::pointer;

/// Name of the scheduling gate that holds a finished pod until its status is written.
pub(super) const GATE: &str = "clusterbackup.dataprotection.microsoft.com/finished";

/// What of a Job's status its controller counts on from; the rest it observes.
/// Source: `k8s.io/kubernetes/pkg/controller/job` (`trackJobStatusAndRemoveFinalizers`).
const PROGRESS: [&str; 4] = ["succeeded", "failed", "completedIndexes", "failedIndexes"];

/// What had finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    Job,
    /// A Job that runs, with some of its pods ended.
    PartOfJob,
    Pod,
}

/// Whether the object is a Job or Pod that had finished when it was read, or had in part.
pub(super) fn detect(resource: &ResourceType, object: &Value) -> Option<Finished> {
    if resource.is("batch", "Job") {
        let conditions = object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let ended = conditions.into_iter().flatten().any(|condition| {
            matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
                && condition["status"] == "True"
        });
        if ended {
            return Some(Finished::Job);
        }
        let counted = |field: &str| object["status"][field].as_u64().unwrap_or_default();
        let begun = counted("succeeded") + counted("failed") > 0;
        return begun.then_some(Finished::PartOfJob);
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
        Finished::Job | Finished::PartOfJob => {
            // The API server refuses a finished status that still has pods to count.
            pointer::remove(&mut status, "/uncountedTerminatedPods");
            if finished == Finished::PartOfJob {
                if let Some(all) = status.as_object_mut() {
                    all.retain(|field, _| PROGRESS.contains(&field.as_str()));
                }
                prepared.resumes = true;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_job_is_held_until_it_knows_how_far_it_had_come() {
        let jobs = ResourceType::new("batch", "v1", "Job", "jobs", true);
        let mut object = json!({"metadata": {"name": "j"}, "spec": {"suspend": false},
            "status": {"active": 1, "ready": 1, "succeeded": 2, "failed": 1, "completedIndexes": "0,3",
                "startTime": "2026-01-01T00:00:00Z",
                "uncountedTerminatedPods": {"succeeded": ["u"]}}});
        let result = super::super::prepare(&jobs, &mut object);
        assert_eq!(object["spec"]["suspend"], true);
        let progress = json!({"succeeded": 2, "failed": 1, "completedIndexes": "0,3"});
        assert_eq!(result.status, Some(progress));
        assert_eq!(result.release, Some(json!({"spec": {"suspend": false}})));
        assert!(result.resumes);
        let mut fresh = json!({"metadata": {"name": "j"}, "spec": {}, "status": {"active": 1}});
        let result = super::super::prepare(&jobs, &mut fresh);
        assert_eq!((result.release, result.resumes), (None, false));
    }
}
