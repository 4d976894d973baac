//! What of an object constrains others, and so is held back until they are there again.
//!
//! Contract: taken off before the create and given back as a merge patch. Whole objects that constrain
//! (LimitRange, ResourceQuota, admission policies) come late by the order of the restore instead.

use serde_json::{Map, Value, json};

use crate::object::ResourceType;
use crate::pointer;

/// Takes the labels off a Namespace by which the API server refuses pods that were legal when they
/// were made; they come back with the other constraints.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces>
pub(super) fn hold_back(resource: &ResourceType, object: &mut Value) -> Option<Value> {
    const ENFORCED: [&str; 2] = [
        "pod-security.kubernetes.io/enforce",
        "pod-security.kubernetes.io/enforce-version",
    ];
    if !resource.is("", "Namespace") {
        return None;
    }
    let mut labels = Map::new();
    for label in ENFORCED {
        let path = format!("/metadata/labels/{}", pointer::escape(label));
        if let Some(value) = pointer::remove(object, &path) {
            labels.insert(label.to_owned(), value);
        }
    }
    (!labels.is_empty()).then(|| json!({"metadata": {"labels": labels}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_gets_back_what_it_enforces_on_pods_once_they_are_there() {
        let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
        let stored = json!({"metadata": {"name": "n", "labels": {"team": "a",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "v1.30",
            "pod-security.kubernetes.io/warn": "baseline"}}});
        let mut object = stored.clone();
        let prepared = super::super::prepare(&namespaces, &mut object);
        let labels = json!({"team": "a", "pod-security.kubernetes.io/warn": "baseline"});
        assert_eq!(object["metadata"]["labels"], labels);
        assert_eq!(prepared.settled(&object), stored);
        let mut plain = json!({"metadata": {"name": "n", "labels": {"team": "a"}}});
        assert_eq!(super::super::prepare(&namespaces, &mut plain).later, None);
    }
}
