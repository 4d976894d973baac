//! Who owns the fields of a restored object: those who owned them before.
//!
//! Contract: an API server writes managedFields of a create anew, in the name of whoever creates, and
//! takes those that are sent with a patch. So an object that one manager made by updates is created in
//! that manager's name, which costs nothing; only one that several made, or one that was applied,
//! costs a patch more. Without it, the next `kubectl apply --server-side` of a user would be refused
//! as a conflict with the restore.
//! Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>;
//! `FieldManager.Update` in `k8s.io/apimachinery/pkg/util/managedfields`; seen on 1.36.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Prepared;

/// Managers that are parts of the cluster: what they set they set again, in their own name.
const OF_THE_CLUSTER: &[&str] = &[
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-apiserver",
    "cluster-autoscaler",
];

/// Under whose names an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers {
    /// The field manager of the create, and of what follows it.
    pub create_as: Option<String>,
    /// The field manager of the write of the status.
    pub status_as: Option<String>,
    /// A merge patch of the managedFields, to be sent last, when names alone do not bring them back.
    pub afterwards: Option<Value>,
}

/// Decides over the managedFields that the object had.
pub(super) fn decide(prepared: &Prepared) -> Managers {
    let entries = kept(prepared);
    let (own, of_status): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|entry| !is_of_status(entry));
    let sole_own = sole_updater(&own).filter(|_| own[0].get("subresource").is_none());
    let sole_status = sole_updater(&of_status);
    let names_suffice =
        (own.is_empty() || sole_own.is_some()) && (of_status.is_empty() || sole_status.is_some());
    // An object whose fields nobody was noted for is noted for whoever creates it with an owner; this
    // is how the API server is told to forget.
    let forgotten = (all(prepared).next().is_none() && !prepared.owners.is_empty())
        .then(|| json!({"metadata": {"managedFields": [{}]}}));
    let afterwards = (!names_suffice)
        .then(|| json!({"metadata": {"managedFields": entries}}))
        .or(forgotten);
    // What a part of the cluster made by itself is made in its name.
    let all: Vec<&Value> = all(prepared).collect();
    let (own, of_status): (Vec<&Value>, Vec<&Value>) =
        all.into_iter().partition(|entry| !is_of_status(entry));
    Managers {
        create_as: sole_own.or_else(|| sole_updater(&own)),
        status_as: sole_status.or_else(|| sole_updater(&of_status)),
        afterwards,
    }
}

/// All entries that come back, as a merge patch; none when there are none.
pub(super) fn patch(prepared: &Prepared) -> Option<Value> {
    let entries = kept(prepared);
    (!entries.is_empty()).then(|| json!({"metadata": {"managedFields": entries}}))
}

/// See [`Prepared::may_have_made`].
pub(super) fn may_have_made(prepared: &Prepared, live: &Value, field_manager: &str) -> bool {
    let names = |entries: &[Value]| -> BTreeSet<String> {
        let of_the_object = entries
            .iter()
            .filter(|entry| !is_of_status(entry) && !is_of_the_cluster(entry));
        of_the_object
            .filter_map(|entry| entry["manager"].as_str().map(str::to_owned))
            .collect()
    };
    let live = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .map_or_else(BTreeSet::new, |entries| names(entries));
    live.is_empty() || live.contains(field_manager) || live == names(&kept(prepared))
}

/// The entries that come back: those of a status that is not restored go with it.
fn kept(prepared: &Prepared) -> Vec<Value> {
    all(prepared)
        .filter(|entry| !is_of_the_cluster(entry))
        .filter(|entry| !is_of_status(entry) || prepared.status.is_some())
        .filter(|entry| entry["subresource"] != "ephemeralcontainers")
        .cloned()
        .collect()
}

fn all(prepared: &Prepared) -> impl Iterator<Item = &Value> {
    let entries = prepared.managed_fields.as_ref().and_then(Value::as_array);
    entries.into_iter().flatten()
}

fn is_of_status(entry: &Value) -> bool {
    entry["subresource"] == "status"
}

fn is_of_the_cluster(entry: &Value) -> bool {
    entry["manager"]
        .as_str()
        .is_some_and(|name| OF_THE_CLUSTER.contains(&name))
}

/// The manager of the only entry, when it is an update.
fn sole_updater(entries: &[&Value]) -> Option<String> {
    match entries {
        [only] if only["operation"] == "Update" => only["manager"].as_str().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ResourceType;

    fn managers(kind: &str, group: &str, entries: Value) -> Managers {
        let resource = ResourceType::new(group, "v1", kind, "", true);
        let mut object =
            json!({"metadata": {"name": "a", "managedFields": entries}, "status": {"x": 1}});
        super::super::prepare(&resource, &mut object).managers()
    }

    fn entry(manager: &str, operation: &str, subresource: Option<&str>) -> Value {
        let mut entry = json!({"manager": manager, "operation": operation});
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    }

    #[test]
    fn an_object_that_one_manager_made_is_created_in_its_name_and_costs_no_further_request() {
        let helm = entry("helm", "Update", None);
        let status = entry("kube-controller-manager", "Update", Some("status"));
        let found = managers("ConfigMap", "", json!([helm, status]));
        assert_eq!(found.create_as.as_deref(), Some("helm"));
        assert_eq!(found.afterwards, None);
        assert_eq!(managers("ConfigMap", "", json!([])), Managers::default());
    }

    #[test]
    fn an_object_that_was_applied_or_that_several_made_gets_its_managers_back_afterwards() {
        let helm = entry("helm", "Update", None);
        let argo = entry("argo", "Apply", None);
        for entries in [
            json!([argo]),
            json!([helm, argo]),
            json!([helm, entry("me", "Update", None)]),
        ] {
            let found = managers("ConfigMap", "", entries.clone());
            assert_eq!(found.create_as, None);
            let expected = json!({"metadata": {"managedFields": entries}});
            assert_eq!(found.afterwards, Some(expected));
        }
    }

    #[test]
    fn a_restored_status_is_written_in_its_managers_name_and_one_that_is_not_restored_has_none() {
        let maker = entry("me", "Update", None);
        let operator = entry("operator", "Update", Some("status"));
        let argo = entry("argo", "Apply", None);
        let custom = managers("Widget", "example.com", json!([maker, operator]));
        assert_eq!(custom.status_as.as_deref(), Some("operator"));
        assert_eq!(custom.afterwards, None);
        let built_in = managers("Deployment", "apps", json!([maker, operator, argo]));
        assert_eq!(
            built_in.afterwards,
            Some(json!({"metadata": {"managedFields": [maker, argo]}}))
        );
    }

    #[test]
    fn what_a_controller_made_is_made_in_its_name() {
        let controller = entry("kube-controller-manager", "Update", None);
        let kubelet = entry("kubelet", "Update", Some("status"));
        let pod = managers("Pod", "", json!([controller, kubelet]));
        assert_eq!(pod.create_as.as_deref(), Some("kube-controller-manager"));
        assert_eq!(pod.status_as.as_deref(), Some("kubelet"));
        assert_eq!(pod.afterwards, None);
    }

    #[test]
    fn an_object_that_nobody_managed_is_managed_by_nobody_again() {
        let resource = ResourceType::new("", "v1", "ConfigMap", "", true);
        let owner = json!({"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"});
        let mut owned = json!({"metadata": {"name": "a", "ownerReferences": [owner]}});
        let found = super::super::prepare(&resource, &mut owned).managers();
        assert_eq!(
            found.afterwards,
            Some(json!({"metadata": {"managedFields": [{}]}}))
        );
        assert_eq!(managers("ConfigMap", "", json!([])).afterwards, None);
    }

    #[test]
    fn an_object_that_the_job_may_have_made_bears_our_name_or_those_it_had() {
        let resource = ResourceType::new("", "v1", "ConfigMap", "", true);
        let mut object =
            json!({"metadata": {"name": "a", "managedFields": [entry("helm", "Update", None)]}});
        let prepared = super::super::prepare(&resource, &mut object);
        let live = |names: &[&str]| {
            let entries: Vec<Value> = names.iter().map(|n| entry(n, "Update", None)).collect();
            prepared.may_have_made(&json!({"metadata": {"managedFields": entries}}), "restorer")
        };
        assert!(live(&["restorer"]) && live(&["helm"]) && live(&[]));
        assert!(live(&["helm", "kube-controller-manager"]));
        assert!(!live(&["somebody"]) && !live(&["helm", "somebody"]));
    }
}
