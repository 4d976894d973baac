//! The form in which objects are compared: without what a cluster assigns and without the difference
//! between nothing and empty.
//!
//! Contract: idempotent; never adds anything.

use serde_json::Value;

use super::{Comparison, strip_assigned};
use crate::object::ResourceType;
use crate::pointer;
use crate::restore::prepare::keeps_status;

/// Fields that may be absent, null or empty with one meaning.
/// Source: they are `omitempty` in `k8s.io/apimachinery` `ObjectMeta` and `k8s.io/api`.
const EMPTY_IS_ABSENT: &[&str] = &[
    "/metadata/labels",
    "/metadata/annotations",
    "/metadata/ownerReferences",
    "/metadata/finalizers",
    "/metadata/namespace",
    "/data",
    "/binaryData",
    "/stringData",
    "/secrets",
    "/imagePullSecrets",
    "/status",
];

/// Addresses that a cluster assigns to a Service.
const ADDRESSES: &[&str] = &[
    "/spec/clusterIP",
    "/spec/clusterIPs",
    "/spec/ports/*/nodePort",
    "/spec/healthCheckNodePort",
];

/// An object as it is compared.
pub(super) fn form(object: &Value, comparison: &Comparison) -> Value {
    let mut object = object.clone();
    let api_version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let resource = ResourceType::new(group, version, &kind, "", true);
    let _ = strip_assigned(group, &kind, &mut object);
    if !(comparison.custom_status && keeps_status(&resource)) {
        pointer::remove(&mut object, "/status");
    }
    if comparison.owners {
        for uid in pointer::expand(&object, "/metadata/ownerReferences/*/uid") {
            pointer::remove(&mut object, &uid);
        }
    } else {
        pointer::remove(&mut object, "/metadata/ownerReferences");
    }
    if resource.is("", "Service")
        && !comparison.addresses
        && object.pointer("/spec/clusterIP") != Some(&"None".into())
    {
        let paths: Vec<String> = ADDRESSES
            .iter()
            .flat_map(|pattern| pointer::expand(&object, pattern))
            .collect();
        for path in paths {
            pointer::remove(&mut object, &path);
        }
    }
    for field in EMPTY_IS_ABSENT {
        if object.pointer(field).is_some_and(is_empty) {
            pointer::remove(&mut object, field);
        }
    }
    object
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
