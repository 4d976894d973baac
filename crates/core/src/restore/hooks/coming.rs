//! Whether the pods of a restored workload have come.
//!
//! Contract: pure functions over a workload as it is in the cluster. A workload whose controller has not seen
//! it yet has no pods; what makes pods by itself and is not of the cluster's own types is not known.
//! Source of the fields: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::ResourceType;

/// The cluster's own types that make pods by themselves: group, kind and plural.
pub const WORKLOADS: [(&str, &str, &str); 6] = [
    ("apps", "Deployment", "deployments"),
    ("apps", "StatefulSet", "statefulsets"),
    ("apps", "DaemonSet", "daemonsets"),
    ("apps", "ReplicaSet", "replicasets"),
    ("batch", "Job", "jobs"),
    ("", "ReplicationController", "replicationcontrollers"),
];

/// Whether objects of a type may be, or own, pods: pods, the cluster's own workloads, and types of others.
#[must_use]
pub fn may_own_pods(group: &str, kind: &str) -> bool {
    match group {
        "" => matches!(kind, "Pod" | "ReplicationController"),
        "apps" | "batch" => true,
        _ => is_foreign(group),
    }
}

/// Whether a type is none of the cluster's own: what its objects make is up to their operator.
#[must_use]
pub fn is_foreign(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// The labels that the pods of a workload will have.
#[must_use]
pub fn labels(workload: &Value) -> BTreeMap<String, String> {
    let labels = workload.pointer("/spec/template/metadata/labels");
    let labels = labels.cloned().unwrap_or_default();
    serde_json::from_value(labels).unwrap_or_default()
}

/// Why the pods of a workload are not all there yet; none when they are.
#[must_use]
pub fn missing(kind: &ResourceType, workload: &Value) -> Option<String> {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_u64);
    let seen = number("/status/observedGeneration").unwrap_or_default();
    let (wanted, there) = match kind.kind.as_str() {
        "Job" => return job(workload),
        "DaemonSet" => (
            number("/status/desiredNumberScheduled").unwrap_or_default(),
            number("/status/currentNumberScheduled").unwrap_or_default(),
        ),
        _ => (
            number("/spec/replicas").unwrap_or(1),
            number("/status/replicas").unwrap_or_default(),
        ),
    };
    if seen < number("/metadata/generation").unwrap_or_default() {
        return Some("its controller has not seen it yet".to_owned());
    }
    (there < wanted).then(|| format!("it has {there} of {wanted} pods"))
}

/// The same of a Job, which needs one pod to have come at least: it may make the others later.
fn job(job: &Value) -> Option<String> {
    let count = |field: &str| job["status"][field].as_u64().unwrap_or_default();
    let came = count("active") + count("succeeded") + count("failed");
    let over = job["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|one| {
            matches!(one["type"].as_str(), Some("Complete" | "Failed")) && one["status"] == "True"
        });
    let idle = job["spec"]["suspend"] == true || job["spec"]["parallelism"] == 0;
    (came == 0 && !over && !idle).then(|| "it has made no pod yet".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, workload: &Value) -> Option<String> {
        let group = if kind == "Job" { "batch" } else { "apps" };
        missing(&ResourceType::new(group, "v1", kind, "", true), workload)
    }

    #[test]
    fn a_workload_has_its_pods_once_its_controller_has_made_all_of_them() {
        let deployment = |seen: u64, there: u64| {
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 3},
                "status": {"observedGeneration": seen, "replicas": there}})
        };
        assert_eq!(of("Deployment", &deployment(2, 3)), None);
        assert_eq!(
            of("Deployment", &deployment(1, 3)).as_deref(),
            Some("its controller has not seen it yet")
        );
        assert_eq!(
            of("StatefulSet", &deployment(2, 1)).as_deref(),
            Some("it has 1 of 3 pods")
        );
        let new = json!({"metadata": {"generation": 1}, "spec": {}});
        assert!(of("ReplicaSet", &new).is_some());
        let asleep = json!({"metadata": {"generation": 1}, "spec": {"replicas": 0},
            "status": {"observedGeneration": 1}});
        assert_eq!(of("Deployment", &asleep), None);
        let daemons = |there: u64| {
            json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1,
                "desiredNumberScheduled": 2, "currentNumberScheduled": there}})
        };
        assert!(of("DaemonSet", &daemons(1)).is_some());
        assert_eq!(of("DaemonSet", &daemons(2)), None);
    }

    #[test]
    fn a_job_has_its_pods_with_the_first_and_one_that_makes_none_is_not_waited_for() {
        assert!(of("Job", &json!({"spec": {}})).is_some());
        for done in [
            json!({"status": {"active": 1}}),
            json!({"status": {"failed": 1}}),
            json!({"spec": {"suspend": true}}),
            json!({"spec": {"parallelism": 0}}),
            json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
        ] {
            assert_eq!(of("Job", &done), None, "{done}");
        }
    }

    #[test]
    fn pods_belong_to_workloads_and_to_types_of_others() {
        for (group, kind, owns) in [
            ("", "Pod", true),
            ("", "Secret", false),
            ("apps", "StatefulSet", true),
            ("batch", "CronJob", true),
            ("networking.k8s.io", "Ingress", false),
            ("databases.example.com", "Cluster", true),
        ] {
            assert_eq!(may_own_pods(group, kind), owns, "{group} {kind}");
        }
        let labels =
            labels(&json!({"spec": {"template": {"metadata": {"labels": {"app": "db"}}}}}));
        assert_eq!(labels.get("app").map(String::as_str), Some("db"));
    }
}
