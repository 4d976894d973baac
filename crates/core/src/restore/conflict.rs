//! What to do when an object of the same name exists.
//!
//! Contract: never writes over what is equal, never deletes. "Equal" is
//! [`equality`](crate::equality)'s meaning: cluster-assigned fields do not count, and fields that only
//! the existing object has do not count against a patch, because a patch would leave them.

use serde_json::Value;

use super::ConflictPolicy;
use crate::equality::{self, Comparison};
use crate::selection::Rule;

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
    /// It exists but is being deleted: wait until it is gone, within a limit, then ask again.
    AwaitDeletion,
}

/// Decides for `desired` (prepared and mapped) against what exists under its name.
#[must_use]
pub fn decide(policy: ConflictPolicy, desired: &Value, existing: Option<&Value>) -> Action {
    let Some(existing) = existing else {
        return Action::Create;
    };
    let differences = equality::differences(desired, existing, &Comparison::for_patch());
    // A Namespace in deletion never comes back, an equal object in deletion is as good as gone.
    if existing["metadata"]["deletionTimestamp"].is_string() {
        return Action::AwaitDeletion;
    }
    if differences.is_empty() {
        return Action::Unchanged;
    }
    match policy {
        ConflictPolicy::Patch => Action::Patch,
        ConflictPolicy::Skip => Action::Skip {
            reason: reason(&differences),
        },
    }
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
    use serde_json::json;

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
