//! What to do when an object of the same name exists.
//!
//! Contract: never writes over what is equal, never deletes. "Equal" is
//! [`equality`](crate::equality)'s meaning: cluster-assigned fields do not count, and fields that only
//! the existing object has do not count against a patch, because a patch would leave them.
//!
//! Under a namespace mapping an application gets a copy beside itself, so an object of the cluster's
//! scope that exists serves the original: it is never turned towards the copy (ADR 10).

use serde_json::{Value, json};

use super::ConflictPolicy;
use crate::equality::{self, Comparison};
use crate::selection::Rule;

mod shared;

/// What a restore does with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It does not exist: create it.
    Create,
    /// It exists as it shall be: do nothing.
    Unchanged,
    /// It exists and differs, and the policy leaves it.
    Skip {
        /// Where it differs, in a sentence.
        reason: String,
    },
    /// It exists and differs, and the policy changes it.
    Patch,
    /// It exists as it shall be but for one thing of the cluster's own that stands in the way; the
    /// policy does not matter, because nothing of the user's is changed.
    Adjust {
        /// The merge patch that takes the thing away.
        patch: Value,
        /// What it is, in a sentence.
        reason: &'static str,
    },
    /// It exists but is being deleted: wait until it is gone, within a limit, then ask again.
    AwaitDeletion,
}

/// Decides for `desired` (prepared and mapped) against what exists under its name.
#[must_use]
pub fn decide(policy: ConflictPolicy, desired: &Value, existing: Option<&Value>) -> Action {
    decide_mapped(policy, desired, existing, &[])
}

/// The same for an object in which a namespace mapping changed the fields at `mapped`.
#[must_use]
pub fn decide_mapped(
    policy: ConflictPolicy,
    desired: &Value,
    existing: Option<&Value>,
    mapped: &[String],
) -> Action {
    let Some(existing) = existing else {
        return Action::Create;
    };
    // A Namespace in deletion never comes back, an equal object in deletion is as good as gone.
    if existing["metadata"]["deletionTimestamp"].is_string() {
        return Action::AwaitDeletion;
    }
    let mut differences = equality::differences(desired, existing, &Comparison::for_patch());
    if has_finished(existing) {
        // Whether a Job is suspended means nothing once it has ended, and a prepared one is, until its
        // status is written.
        differences
            .retain(|d| d.pointer != "/spec/suspend" && d.pointer != "/spec/schedulingGates");
    }
    if differences.is_empty() {
        return release_volume(desired, existing).unwrap_or(Action::Unchanged);
    }
    if let Some(claim) = another_claim(desired, existing) {
        return Action::Skip {
            reason: format!(
                "it is bound to the claim {claim}, from which no restore takes it away"
            ),
        };
    }
    if !mapped.is_empty() && serves_the_original(existing) {
        return shared::decide(policy, desired, existing, mapped);
    }
    match policy {
        ConflictPolicy::Patch => Action::Patch,
        ConflictPolicy::Skip => Action::Skip {
            reason: reason(&differences),
        },
    }
}

/// Whether an object that exists is shared by the original and its copy: all that is of the cluster's
/// scope, but the namespace that the copy goes into.
fn serves_the_original(existing: &Value) -> bool {
    existing.pointer("/metadata/namespace").is_none() && existing["kind"] != "Namespace"
}

/// The policy that holds for one object. What the cluster itself puts into a namespace that this
/// restore has just made (the `default` service account) must be patched even under Skip: it is not
/// the user's object that would be overwritten, but the cluster's blank one.
#[must_use]
pub fn policy_for(
    policy: ConflictPolicy,
    rule: Rule,
    namespace_made_by_this_restore: bool,
) -> ConflictPolicy {
    if rule == Rule::DefaultServiceAccountPatched && namespace_made_by_this_restore {
        ConflictPolicy::Patch
    } else {
        policy
    }
}

/// A volume whose claim was deleted stays reserved for the old claim's uid, so that the restored claim
/// of the same name would wait for ever. Without the uid the reservation is for the name.
/// Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain>
fn release_volume(desired: &Value, existing: &Value) -> Option<Action> {
    let claim =
        |object: &Value, field: &str| object.pointer(&format!("/spec/claimRef/{field}")).cloned();
    let is_released =
        existing["kind"] == "PersistentVolume" && existing["status"]["phase"] == "Released";
    let same_claim = ["namespace", "name"]
        .iter()
        .all(|f| claim(desired, f) == claim(existing, f));
    (is_released && same_claim && claim(existing, "uid").is_some()).then(|| Action::Adjust {
        patch: json!({"spec": {"claimRef": {"uid": null, "resourceVersion": null}}}),
        reason: "the volume was reserved for the claim that was deleted; it is reserved for the restored one now",
    })
}

/// The claim that holds an existing volume, when it is another than the desired one: with a namespace
/// mapping, that of the original application. Patched to the other claim, the volume would be Released
/// under a running application, and deleted when its reclaim policy says so.
/// Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming>; seen on 1.36.
fn another_claim(desired: &Value, existing: &Value) -> Option<String> {
    if existing["kind"] != "PersistentVolume" {
        return None;
    }
    let holder = existing
        .pointer("/spec/claimRef")
        .filter(|claim| claim["uid"].is_string())?;
    let wanted = desired.pointer("/spec/claimRef")?;
    let same = ["namespace", "name"]
        .iter()
        .all(|field| holder[*field] == wanted[*field]);
    let text = |field: &str| holder[field].as_str().unwrap_or_default().to_owned();
    (!same).then(|| format!("{}/{}", text("namespace"), text("name")))
}

/// Whether a Job or Pod has ended.
fn has_finished(existing: &Value) -> bool {
    let conditions = existing
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let job_ended = conditions.into_iter().flatten().any(|c| {
        matches!(c["type"].as_str(), Some("Complete" | "Failed")) && c["status"] == "True"
    });
    let phase = existing.pointer("/status/phase").and_then(Value::as_str);
    match existing["kind"].as_str() {
        Some("Job") => job_ended,
        Some("Pod") => matches!(phase, Some("Succeeded" | "Failed")),
        _ => false,
    }
}

/// Names at most three places; the report stays readable and says how many more there are.
fn reason(differences: &[equality::Difference]) -> String {
    const NAMED: usize = 3;
    let places: Vec<&str> = differences
        .iter()
        .take(NAMED)
        .map(|d| d.pointer.as_str())
        .collect();
    let more = differences.len().saturating_sub(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more places")
    } else {
        String::new()
    };
    format!(
        "exists and differs at {}{rest}; the conflict policy is Skip",
        places.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(data: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": data}})
    }

    fn existing(data: &str) -> Value {
        let mut object = map(data);
        object["metadata"]["uid"] = json!("u");
        object["metadata"]["labels"] = json!({"added": "later"});
        object
    }

    #[test]
    fn what_does_not_exist_is_created_under_either_policy() {
        for policy in [ConflictPolicy::Skip, ConflictPolicy::Patch] {
            assert_eq!(decide(policy, &map("1"), None), Action::Create);
        }
    }

    #[test]
    fn what_is_equal_is_left_unchanged_even_with_a_label_added_later() {
        for policy in [ConflictPolicy::Skip, ConflictPolicy::Patch] {
            assert_eq!(
                decide(policy, &map("1"), Some(&existing("1"))),
                Action::Unchanged
            );
        }
    }

    #[test]
    fn what_differs_is_skipped_with_the_place_or_patched() {
        assert_eq!(
            decide(ConflictPolicy::Patch, &map("1"), Some(&existing("2"))),
            Action::Patch
        );
        let Action::Skip { reason } = decide(ConflictPolicy::Skip, &map("1"), Some(&existing("2")))
        else {
            panic!("must be skipped");
        };
        assert_eq!(
            reason,
            "exists and differs at /data/k; the conflict policy is Skip"
        );
    }

    #[test]
    fn what_is_being_deleted_is_awaited() {
        let mut going = existing("1");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(
            decide(ConflictPolicy::Skip, &map("1"), Some(&going)),
            Action::AwaitDeletion
        );
    }

    #[test]
    fn a_volume_released_by_the_deleted_claim_is_reserved_for_the_restored_one() {
        let volume = |uid: Option<&str>| {
            let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"hostPath": {"path": "/x"}, "claimRef": {"namespace": "n", "name": "data"}}});
            if let Some(uid) = uid {
                volume["spec"]["claimRef"]["uid"] = json!(uid);
                volume["status"] = json!({"phase": "Released"});
            }
            volume
        };
        let action = decide(
            ConflictPolicy::Skip,
            &volume(None),
            Some(&volume(Some("old"))),
        );
        assert!(matches!(action, Action::Adjust { .. }), "{action:?}");
        let mut bound = volume(Some("new"));
        bound["status"]["phase"] = json!("Bound");
        assert_eq!(
            decide(ConflictPolicy::Skip, &volume(None), Some(&bound)),
            Action::Unchanged
        );
    }

    #[test]
    fn a_volume_is_never_taken_from_another_claim_that_holds_it() {
        let volume = |namespace: &str, uid: Option<&str>| {
            let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"hostPath": {"path": "/x"}, "claimRef": {"namespace": namespace, "name": "data"}}});
            if let Some(uid) = uid {
                volume["spec"]["claimRef"]["uid"] = json!(uid);
            }
            volume
        };
        for policy in [ConflictPolicy::Skip, ConflictPolicy::Patch] {
            let action = decide(
                policy,
                &volume("copy", None),
                Some(&volume("shop", Some("live"))),
            );
            let Action::Skip { reason } = action else {
                panic!("must be skipped: {action:?}");
            };
            assert!(reason.contains("shop/data"), "{reason}");
        }
        let mut own = volume("shop", Some("live"));
        own["spec"]["hostPath"]["path"] = json!("/y");
        let action = decide(ConflictPolicy::Patch, &volume("shop", None), Some(&own));
        assert_eq!(action, Action::Patch);
    }

    #[test]
    fn a_finished_job_that_exists_is_equal_to_its_held_self() {
        let resource = crate::ResourceType::new("batch", "v1", "Job", "jobs", true);
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n", "uid": "1"},
            "spec": {"suspend": false, "template": {"spec": {"containers": []}}},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        let mut desired = job.clone();
        super::super::prepare::prepare(&resource, &mut desired);
        assert_eq!(desired["spec"]["suspend"], json!(true));
        assert_eq!(
            decide(ConflictPolicy::Skip, &desired, Some(&job)),
            Action::Unchanged
        );
    }

    #[test]
    fn the_default_service_account_of_a_new_namespace_is_patched_under_skip() {
        let rule = Rule::DefaultServiceAccountPatched;
        assert_eq!(
            policy_for(ConflictPolicy::Skip, rule, true),
            ConflictPolicy::Patch
        );
        assert_eq!(
            policy_for(ConflictPolicy::Skip, rule, false),
            ConflictPolicy::Skip
        );
        assert_eq!(
            policy_for(ConflictPolicy::Skip, Rule::Restorable, true),
            ConflictPolicy::Skip
        );
    }
}
