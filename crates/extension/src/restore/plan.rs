//! What is to be done with one object: the same answer for a validation and for a restore. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use strongroom_core::equality::{self, Comparison};
use strongroom_core::restore::conflict::{self, Action};
use strongroom_core::restore::prepare::{self, Prepared};
use strongroom_core::restore::volumes::{self, ClaimFacts};
use strongroom_core::restore::{ConflictPolicy, RestoreCriteria, mapping};
use strongroom_core::selection::Rule;
use strongroom_core::{ObjectFacts, ObjectRef, ResourceType};

/// An object of the recovery point, ready for this cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Desired {
    /// Its name here.
    pub(super) object: ObjectRef,
    /// Its content here.
    pub(super) value: Value,
    /// What was taken off it.
    pub(super) prepared: Prepared,
    /// Why it is restored.
    pub(super) rule: Rule,
    /// Places that the namespace mapping changed.
    pub(super) mapped: Vec<String>,
}

/// Whether a stored object is restored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Desire {
    /// It is, like this.
    Restore(Box<Desired>),
    /// A rule leaves the object out.
    Leave(ObjectRef, Rule),
    /// The cluster would remove it at once, for this reason.
    Moot(ObjectRef, String),
}

/// Makes a stored object ready, or says which rule leaves it out.
pub(super) fn desire(
    resource: &ResourceType,
    mut value: Value,
    criteria: &RestoreCriteria,
    now: Timestamp,
) -> Desire {
    let over = outlived(resource, &value, now);
    let facts = ObjectFacts::of(resource, &value);
    let decision = prepare::restorable(resource, &facts, &value);
    let claim = ClaimFacts::of(resource, &value);
    let prepared = prepare::prepare(resource, &mut value);
    let mapped = mapping::map_namespaces(resource, &mut value, &criteria.namespace_mappings);
    volumes::map_classes(resource, &mut value, claim.as_ref(), &criteria.volumes);
    volumes::forget_old_source(resource, &mut value);
    let metadata = &value["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let object = ObjectRef::new(resource, metadata["namespace"].as_str(), name);
    if let (true, Some(reason)) = (decision.included, over) {
        Desire::Moot(object, reason)
    } else if decision.included {
        Desire::Restore(Box::new(Desired {
            object,
            value,
            prepared,
            rule: decision.rule,
            mapped,
        }))
    } else {
        Desire::Leave(object, decision.rule)
    }
}

/// Why a finished Job would be removed as soon as it is restored: it carries the time of its end.
/// Source: <https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/>
fn outlived(resource: &ResourceType, job: &Value, now: Timestamp) -> Option<String> {
    if !resource.is("batch", "Job") {
        return None;
    }
    let seconds = job.pointer("/spec/ttlSecondsAfterFinished")?.as_i64()?;
    let ended: Timestamp = job["status"]["conditions"].as_array()?.iter().find(|one| {
        matches!(one["type"].as_str(), Some("Complete" | "Failed")) && one["status"] == "True"
    })?["lastTransitionTime"]
        .as_str()?
        .parse()
        .ok()?;
    let until = ended
        .saturating_add(SignedDuration::from_secs(seconds))
        .ok()?;
    (until <= now).then(|| {
        format!(
            "it ended at {ended} and was to be removed {seconds} s later (ttlSecondsAfterFinished): \
             the cluster would delete it at once"
        )
    })
}

/// How far a Job had come that was running when it was backed up, and that goes on from there.
pub(super) fn came_so_far(prepared: &Prepared) -> Option<String> {
    let status = prepared.status.as_ref().filter(|_| prepared.resumes)?;
    let done = status["succeeded"].as_u64().unwrap_or_default();
    let failed = status["failed"].as_u64().unwrap_or_default();
    Some(format!("with {done} pods succeeded and {failed} failed"))
}

/// The places in which an object that was just made differs from what was asked for: a webhook, a
/// policy or a controller has changed it. Defaults that were filled in are no differences; labels and
/// annotations, which have none, are.
pub(super) fn changed_by_cluster(asked: &Value, made: &Value) -> Vec<String> {
    let mut places = Vec::new();
    if !holds_all(asked, made) {
        let differences = equality::differences(asked, made, &Comparison::for_patch());
        places.extend(differences.into_iter().map(|one| one.pointer));
    }
    for field in ["labels", "annotations"] {
        let before = &asked["metadata"][field];
        let after = made["metadata"][field].as_object();
        let added = after
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .filter(|key| before.get(key.as_str()).is_none())
            .filter(|key| !OF_THE_CLUSTER.contains(&key.as_str()));
        places.extend(added.map(|key| format!("/metadata/{field}/{}", key.replace('/', "~1"))));
    }
    places
}

/// Whether everything of one value is in another, letter by letter: the usual case, and much cheaper to
/// see than what equality means.
fn holds_all(asked: &Value, made: &Value) -> bool {
    match (asked, made) {
        (Value::Object(asked), Value::Object(made)) => asked
            .iter()
            .all(|(key, value)| made.get(key).is_some_and(|made| holds_all(value, made))),
        (asked, made) => asked == made,
    }
}

/// Labels and annotations that the API server itself gives to new objects.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/>
const OF_THE_CLUSTER: &[&str] = &[
    "kubernetes.io/metadata.name",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
    "deprecated.daemonset.template.generation",
    "storageclass.kubernetes.io/is-default-class",
    "kubernetes.io/service-account.uid",
];

/// What to do with an object, given what exists under its name.
pub(super) fn decide(
    desired: &Desired,
    criteria: &RestoreCriteria,
    namespace_made: bool,
    existing: Option<&Value>,
) -> Action {
    let mut policy = conflict::policy_for(criteria.conflict_policy, desired.rule, namespace_made);
    // What is taken only because something needs it is made when it is missing, and never changed: the
    // criteria say that the cluster's own scope is none of their business.
    let is_namespace = desired.object.group.is_empty() && desired.object.kind == "Namespace";
    if !criteria.selection.include_cluster_scope_resources
        && desired.object.namespace.is_none()
        && !is_namespace
    {
        policy = ConflictPolicy::Skip;
    }
    let (prepared, mapped) = (&desired.prepared, &desired.mapped);
    if existing.is_none() || (prepared.release.is_none() && prepared.later.is_none()) {
        return conflict::decide_mapped(policy, &desired.value, existing, mapped);
    }
    // What exists is compared with what the object is in the end, not with what it is created as. What
    // had finished is never changed: what exists is another run.
    let settled = prepared.settled(&desired.value);
    match conflict::decide_mapped(policy, &settled, existing, mapped) {
        Action::Patch if prepared.release.is_some() && !prepared.resumes => Action::Skip {
            reason: "exists and differs; a finished run is never written over another".to_owned(),
        },
        other => other,
    }
}

/// The fields that the API server dropped, out of its warnings: `spec.a, spec.b`; empty when there are
/// none.
pub(super) fn unknown_fields(warnings: &[String]) -> String {
    let fields: Vec<&str> = warnings
        .iter()
        .filter_map(|warning| warning.strip_prefix("unknown field "))
        .map(|field| field.trim_matches('"'))
        .collect();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use strongroom_core::restore::ConflictPolicy;

    fn restored(desire: Desire) -> Desired {
        match desire {
            Desire::Restore(desired) => *desired,
            Desire::Leave(object, rule) => panic!("{object} is left: {rule}"),
            Desire::Moot(object, reason) => panic!("{object} is left: {reason}"),
        }
    }

    fn job(suspend: bool) -> Value {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
            "spec": {"suspend": suspend, "template": {}},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]}})
    }

    #[test]
    fn a_finished_job_that_exists_is_compared_as_released_and_never_patched() {
        let jobs = ResourceType::new("batch", "v1", "Job", "jobs", true);
        let criteria = RestoreCriteria {
            conflict_policy: ConflictPolicy::Patch,
            ..RestoreCriteria::default()
        };
        let desired = restored(desire(&jobs, job(false), &criteria, Timestamp::UNIX_EPOCH));
        assert_eq!(desired.value["spec"]["suspend"], true);
        let decide = |existing: &Value| decide(&desired, &criteria, false, Some(existing));
        assert_eq!(decide(&job(false)), Action::Unchanged);
        let mut another = job(false);
        another["spec"]["parallelism"] = json!(2);
        let mut desired = desired.clone();
        desired.value["spec"]["parallelism"] = json!(1);
        let action = super::decide(&desired, &criteria, false, Some(&another));
        assert!(matches!(action, Action::Skip { .. }), "{action:?}");
    }

    #[test]
    fn a_finished_job_whose_time_is_over_is_left_because_the_cluster_would_delete_it() {
        let jobs = ResourceType::new("batch", "v1", "Job", "jobs", true);
        let mut job = job(false);
        job["spec"]["ttlSecondsAfterFinished"] = json!(60);
        job["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
        let at = |text: &str| {
            let now = text.parse().unwrap();
            desire(&jobs, job.clone(), &RestoreCriteria::default(), now)
        };
        assert!(matches!(at("2026-01-01T00:00:59Z"), Desire::Restore(_)));
        assert!(matches!(at("2026-01-01T00:01:00Z"), Desire::Moot(..)));
    }

    #[test]
    fn a_running_job_with_pods_that_have_ended_is_said_to_go_on_and_may_be_patched() {
        let jobs = ResourceType::new("batch", "v1", "Job", "jobs", true);
        let criteria = RestoreCriteria {
            conflict_policy: ConflictPolicy::Patch,
            ..RestoreCriteria::default()
        };
        let mut running = job(false);
        running["status"] = json!({"active": 1, "succeeded": 3});
        let desired = restored(desire(&jobs, running, &criteria, Timestamp::UNIX_EPOCH));
        let so_far = came_so_far(&desired.prepared).unwrap();
        assert!(so_far.contains("3 pods"), "{so_far}");
        let mut another = job(false);
        another["metadata"]["labels"] = json!({"a": "b"});
        let mut labelled = desired.clone();
        labelled.value["metadata"]["labels"] = json!({"a": "c"});
        let action = super::decide(&labelled, &criteria, false, Some(&another));
        assert_eq!(action, Action::Patch);
        let ended = restored(desire(&jobs, job(false), &criteria, Timestamp::UNIX_EPOCH));
        assert_eq!(came_so_far(&ended.prepared), None);
    }

    #[test]
    fn what_a_webhook_put_into_a_new_object_is_named_and_defaults_are_not() {
        let asked = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "n"}, "data": {"k": "1"}});
        let mut made = asked.clone();
        made["immutable"] = json!(false);
        made["metadata"]["uid"] = json!("u");
        assert!(changed_by_cluster(&asked, &made).is_empty());
        made["data"]["k"] = json!("2");
        made["metadata"]["labels"] = json!({"example.com/injected": "yes"});
        let places = changed_by_cluster(&asked, &made);
        assert_eq!(
            places,
            ["/data/k", "/metadata/labels/example.com~1injected"]
        );
    }

    #[test]
    fn dropped_fields_are_named_and_other_warnings_are_not() {
        let warnings = [
            "unknown field \"spec.futureField\"".to_owned(),
            "v1 Endpoints is deprecated in v1.33+".to_owned(),
            "unknown field \"spec.other\"".to_owned(),
        ];
        assert_eq!(unknown_fields(&warnings), "spec.futureField, spec.other");
        assert_eq!(unknown_fields(&warnings[1..2]), "");
    }

    #[test]
    fn an_object_is_named_as_it_will_be_called_after_the_mapping() {
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        let mut criteria = RestoreCriteria::default();
        criteria
            .namespace_mappings
            .insert("shop".into(), "copy".into());
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "shop"}});
        let desired = restored(desire(&maps, value, &criteria, Timestamp::UNIX_EPOCH));
        assert_eq!(desired.object.to_string(), "ConfigMap copy/a");
    }
}
