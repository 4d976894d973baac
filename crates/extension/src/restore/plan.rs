//! What is to be done with one object: the same answer for a validation and for a restore. Pure.

use serde_json::Value;
use strongroom_core::restore::conflict::{self, Action};
use strongroom_core::restore::prepare::{self, Prepared};
use strongroom_core::restore::{RestoreCriteria, mapping};
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
}

/// Whether a stored object is restored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Desire {
    /// It is, like this.
    Restore(Box<Desired>),
    /// A rule leaves the object out.
    Leave(ObjectRef, Rule),
}

/// Makes a stored object ready, or says which rule leaves it out.
pub(super) fn desire(
    resource: &ResourceType,
    mut value: Value,
    criteria: &RestoreCriteria,
) -> Desire {
    let facts = ObjectFacts::of(resource, &value);
    let decision = prepare::restorable(resource, &facts, &value);
    let prepared = prepare::prepare(resource, &mut value);
    mapping::map_namespaces(resource, &mut value, &criteria.namespace_mappings);
    let metadata = &value["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let object = ObjectRef::new(resource, metadata["namespace"].as_str(), name);
    if decision.included {
        Desire::Restore(Box::new(Desired {
            object,
            value,
            prepared,
            rule: decision.rule,
        }))
    } else {
        Desire::Leave(object, decision.rule)
    }
}

/// What to do with an object, given what exists under its name.
pub(super) fn decide(
    desired: &Desired,
    criteria: &RestoreCriteria,
    namespace_made: bool,
    existing: Option<&Value>,
) -> Action {
    let policy = conflict::policy_for(criteria.conflict_policy, desired.rule, namespace_made);
    let Some(release) = &desired.prepared.release else {
        return conflict::decide(policy, &desired.value, existing);
    };
    // What had finished is created so that it does not start; what exists is compared with what it
    // is once it is released, and never changed: it is another run.
    let mut released = desired.value.clone();
    merge(&mut released, release);
    match conflict::decide(policy, &released, existing) {
        Action::Patch => Action::Skip {
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

/// A JSON merge patch (RFC 7386).
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else {
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.shift_remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
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
        let desired = restored(desire(&jobs, job(false), &criteria));
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
        let desired = restored(desire(&maps, value, &criteria));
        assert_eq!(desired.object.to_string(), "ConfigMap copy/a");
    }
}
