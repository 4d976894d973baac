//! Objects of the cluster's scope that exist, under a namespace mapping: shared by the original
//! application and its copy.
//!
//! Contract: the original keeps what it has. Rights can be shared, so a ClusterRoleBinding gets the
//! copy's subjects *added* (under Patch). All else that names one namespace, such as the service behind
//! a webhook, an aggregated API or a conversion, can serve only one of them and stays. The reason says
//! what the copy goes without.

use serde_json::{Value, json};

use super::Action;
use crate::restore::ConflictPolicy;

/// How many places a reason names.
const NAMED: usize = 3;

/// Decides over an object that exists and differs.
pub(super) fn decide(
    policy: ConflictPolicy,
    desired: &Value,
    existing: &Value,
    mapped: &[String],
) -> Action {
    if existing["kind"] == "ClusterRoleBinding" && existing["roleRef"] == desired["roleRef"] {
        let missing = missing_subjects(desired, existing);
        return match policy {
            _ if missing.is_empty() => Action::Unchanged,
            ConflictPolicy::Patch => Action::Adjust {
                patch: with_subjects(existing, missing),
                reason: "it exists and keeps its subjects; those of the mapped namespaces were added",
            },
            ConflictPolicy::Skip => Action::Skip {
                reason: "it exists and does not bind the subjects of the mapped namespaces; the conflict policy is Skip".to_owned(),
            },
        };
    }
    let places: Vec<&str> = mapped.iter().take(NAMED).map(String::as_str).collect();
    Action::Skip {
        reason: format!(
            "it exists and serves the namespaces that the recovery point was taken of; a restore into other namespaces does not turn it towards them ({})",
            places.join(", ")
        ),
    }
}

/// The desired subjects that the existing binding does not have, in their order.
fn missing_subjects(desired: &Value, existing: &Value) -> Vec<Value> {
    let subjects = |object: &Value| object["subjects"].as_array().cloned().unwrap_or_default();
    let has = subjects(existing);
    subjects(desired)
        .into_iter()
        .filter(|wanted| !has.iter().any(|one| is_same(one, wanted)))
        .collect()
}

/// Whether two subjects are one; the group of a kind may be left out.
fn is_same(one: &Value, other: &Value) -> bool {
    ["kind", "name", "namespace"]
        .iter()
        .all(|field| one[*field] == other[*field])
}

/// The binding's subjects and these, valid only while nobody else changes the binding.
fn with_subjects(existing: &Value, missing: Vec<Value>) -> Value {
    let mut subjects = existing["subjects"].as_array().cloned().unwrap_or_default();
    subjects.extend(missing);
    let version = existing["metadata"]["resourceVersion"].clone();
    json!({"metadata": {"resourceVersion": version}, "subjects": subjects})
}

#[cfg(test)]
mod tests {
    use super::super::decide_mapped;
    use super::*;

    fn binding(subjects: &Value) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": subjects})
    }

    fn account(namespace: &str) -> Value {
        json!({"kind": "ServiceAccount", "name": "web", "namespace": namespace})
    }

    fn live(mut object: Value) -> Value {
        object["metadata"]["uid"] = json!("u");
        object["metadata"]["resourceVersion"] = json!("7");
        object
    }

    #[test]
    fn the_live_binding_of_the_original_keeps_its_subjects_and_gets_the_copys() {
        let mapped = ["/subjects/0/namespace".to_owned()];
        let desired = binding(&json!([account("copy")]));
        let existing = live(binding(&json!([account("shop"), account("other")])));
        let action = decide_mapped(ConflictPolicy::Patch, &desired, Some(&existing), &mapped);
        let Action::Adjust { patch, .. } = action else {
            panic!("must be added: {action:?}");
        };
        let all = json!([account("shop"), account("other"), account("copy")]);
        assert_eq!(
            patch,
            json!({"metadata": {"resourceVersion": "7"}, "subjects": all})
        );
        let skipped = decide_mapped(ConflictPolicy::Skip, &desired, Some(&existing), &mapped);
        assert!(matches!(skipped, Action::Skip { .. }), "{skipped:?}");
        let again = live(binding(&all));
        let unchanged = decide_mapped(ConflictPolicy::Patch, &desired, Some(&again), &mapped);
        assert_eq!(unchanged, Action::Unchanged);
    }

    #[test]
    fn what_serves_one_namespace_only_is_never_turned_towards_the_copy() {
        let cases = [
            (
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                "/webhooks/0/clientConfig/service/namespace",
            ),
            (
                "apiregistration.k8s.io/v1",
                "APIService",
                "/spec/service/namespace",
            ),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "/spec/conversion/webhook/clientConfig/service/namespace",
            ),
        ];
        for (api_version, kind, place) in cases {
            let object = |namespace: &str| {
                let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"},
                    "webhooks": [{"name": "a"}]});
                assert!(crate::pointer::set(&mut object, place, json!(namespace)));
                object
            };
            for policy in [ConflictPolicy::Skip, ConflictPolicy::Patch] {
                let existing = live(object("shop"));
                let action = decide_mapped(
                    policy,
                    &object("copy"),
                    Some(&existing),
                    &[place.to_owned()],
                );
                let Action::Skip { reason } = action else {
                    panic!("{kind} must be left: {action:?}");
                };
                assert!(reason.contains(place), "{reason}");
            }
        }
    }

    #[test]
    fn without_a_mapped_field_the_policy_holds_and_the_copys_own_namespace_is_patched() {
        let desired = binding(&json!([account("shop")]));
        let existing = live(binding(&json!([])));
        let action = decide_mapped(ConflictPolicy::Patch, &desired, Some(&existing), &[]);
        assert_eq!(action, Action::Patch);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "copy", "labels": {"a": "b"}}});
        let existing =
            live(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "copy"}}));
        let mapped = ["/metadata/name".to_owned()];
        let action = decide_mapped(ConflictPolicy::Patch, &namespace, Some(&existing), &mapped);
        assert_eq!(action, Action::Patch);
    }
}
