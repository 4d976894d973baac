//! Owner references across a restore: a new object has a new uid, so old references point nowhere and
//! the garbage collector would delete what carries them.
//!
//! Contract: [`separate`] takes the references off the object; [`relink`] puts them back when the
//! owners' new uids are known, keeping their order and flags. Cycles and owners that come later are no
//! special case, because linking happens after creating.
//! Source: <https://kubernetes.io/docs/concepts/architecture/garbage-collection/#owners-dependents>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::object::{ObjectFacts, Owner, ResourceType};

/// Labels by which a Job and its pods find each other; their value is the Job's uid.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-controller-uid>
const UID_LABELS: &[&str] = &["batch.kubernetes.io/controller-uid", "controller-uid"];

/// Takes the owner references off an object and returns them, in their order. Ask before labels are
/// taken off, because those that carry an owner's uid are remembered with it.
pub fn separate(object: &mut Value) -> Vec<Owner> {
    let labels = object
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_default();
    let Some(Value::Array(references)) =
        crate::pointer::remove(object, "/metadata/ownerReferences")
    else {
        return Vec::new();
    };
    let mut owners: Vec<Owner> = references
        .into_iter()
        .filter_map(|reference| serde_json::from_value(reference).ok())
        .collect();
    for owner in &mut owners {
        let uid = owner.uid.as_str();
        let carrying = UID_LABELS
            .iter()
            .filter(|label| labels.get(**label).and_then(Value::as_str) == Some(uid));
        owner.uid_labels = carrying.map(|label| (*label).to_owned()).collect();
    }
    owners
}

/// The owners of an object under their new uids, ready to be written, and those that are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relinked {
    /// A merge patch that sets the references, and the labels that carry an owner's uid; `None` when
    /// there is nothing to set.
    pub patch: Option<Value>,
    /// Owners that have no new uid: their references are left out.
    pub missing: Vec<Owner>,
}

/// Builds the references to the owners' new selves. `new_uid` maps an old uid to the new one; an owner
/// that still exists under its old uid must map to itself.
#[must_use]
pub fn relink(owners: &[Owner], new_uid: &BTreeMap<String, String>) -> Relinked {
    let mut references = Vec::new();
    let mut labels = Map::new();
    let mut missing = Vec::new();
    for owner in owners {
        match new_uid.get(&owner.uid) {
            Some(uid) => {
                references.push(reference(owner, uid));
                labels.extend(
                    owner
                        .uid_labels
                        .iter()
                        .map(|label| (label.clone(), json!(uid))),
                );
            }
            None => missing.push(owner.clone()),
        }
    }
    let patch = (!references.is_empty()).then(|| {
        let mut metadata = json!({ "ownerReferences": references });
        if !labels.is_empty() {
            metadata["labels"] = Value::Object(labels);
        }
        json!({ "metadata": metadata })
    });
    Relinked { patch, missing }
}

/// Whether the owner's controller finds the object by its selector and sets the reference itself, so
/// that nobody else needs to.
/// Source: `ClaimReplicaSets`, `AdoptControllerRevision` in `k8s.io/kubernetes/pkg/controller`.
#[must_use]
pub fn is_adopted_by_controller(resource: &ResourceType, facts: &ObjectFacts) -> bool {
    let Some(controller) = facts.controller() else {
        return false;
    };
    matches!(
        (
            resource.group.as_str(),
            resource.kind.as_str(),
            controller.group(),
            controller.kind.as_str()
        ),
        ("apps", "ReplicaSet", "apps", "Deployment")
            | (
                "apps",
                "ControllerRevision",
                "apps",
                "StatefulSet" | "DaemonSet"
            )
    )
}

fn reference(owner: &Owner, uid: &str) -> Value {
    let mut reference = json!({
        "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": uid,
    });
    // Absent and false mean the same; what was absent stays absent.
    if owner.controller {
        reference["controller"] = json!(true);
    }
    if owner.block_owner_deletion {
        reference["blockOwnerDeletion"] = json!(true);
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> Value {
        json!({"metadata": {"name": "a", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "old-1", "controller": true, "blockOwnerDeletion": true},
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "cfg", "uid": "old-2"},
        ]}})
    }

    #[test]
    fn references_come_back_with_new_uids_in_their_order() {
        let mut object = owned();
        let owners = separate(&mut object);
        assert_eq!(object, json!({"metadata": {"name": "a"}}));
        let uids = BTreeMap::from([
            ("old-1".to_owned(), "new-1".to_owned()),
            ("old-2".to_owned(), "new-2".to_owned()),
        ]);
        let relinked = relink(&owners, &uids);
        let mut expected = owned();
        expected["metadata"]["ownerReferences"][0]["uid"] = json!("new-1");
        expected["metadata"]["ownerReferences"][1]["uid"] = json!("new-2");
        assert_eq!(
            relinked.patch.unwrap()["metadata"]["ownerReferences"],
            expected["metadata"]["ownerReferences"]
        );
        assert!(relinked.missing.is_empty());
    }

    #[test]
    fn an_owner_that_was_not_restored_is_reported_and_left_out() {
        let owners = separate(&mut owned());
        let relinked = relink(&owners, &BTreeMap::new());
        assert_eq!(
            relinked,
            Relinked {
                patch: None,
                missing: owners
            }
        );
    }

    #[test]
    fn a_finished_pod_carries_the_new_uid_of_its_job_in_its_labels() {
        let mut pod = json!({"metadata": {"name": "p",
            "labels": {"controller-uid": "old", "batch.kubernetes.io/controller-uid": "old", "job-name": "j"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "old", "controller": true}]}});
        let owners = separate(&mut pod);
        let uids = BTreeMap::from([("old".to_owned(), "new".to_owned())]);
        assert_eq!(
            relink(&owners, &uids).patch.unwrap()["metadata"]["labels"],
            json!({"batch.kubernetes.io/controller-uid": "new", "controller-uid": "new"})
        );
    }

    #[test]
    fn a_deployment_adopts_its_replica_sets_itself() {
        let sets = ResourceType::new("apps", "v1", "ReplicaSet", "replicasets", true);
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        assert!(is_adopted_by_controller(
            &sets,
            &ObjectFacts::of(&sets, &owned())
        ));
        assert!(!is_adopted_by_controller(
            &maps,
            &ObjectFacts::of(&maps, &owned())
        ));
    }
}
