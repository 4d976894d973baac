//! Moving objects into other namespaces, with every reference that names a namespace.
//!
//! Contract: [`map_namespaces`] changes an object in place and returns a pointer to each field that it
//! changed. It follows structured references only: those of the tables in `mapping/references.rs`, and
//! in custom resources every object reference that is shaped as the API conventions say. Text inside
//! annotations, arguments, environment variables or configuration, such as `db.shop.svc`, is the user's
//! and stays. Each source name is looked up once, so that swapped namespaces
//! (`a` to `b`, `b` to `a`) work. Field paths come from the Kubernetes API reference:
//! <https://kubernetes.io/docs/reference/kubernetes-api/>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::ResourceType;
use crate::pointer;

mod references;
#[cfg(test)]
mod tests;

/// The label that every Namespace carries with its own name.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Maps the object's own namespace and every reference in it; returns the pointers changed.
pub fn map_namespaces(
    resource: &ResourceType,
    object: &mut Value,
    mappings: &BTreeMap<String, String>,
) -> Vec<String> {
    if mappings.is_empty() {
        return Vec::new();
    }
    let mut mapper = Mapper {
        mappings,
        changed: Vec::new(),
    };
    if resource.namespaced {
        mapper.field(object, "/metadata/namespace");
    }
    if resource.is("", "Namespace") {
        mapper.field(object, "/metadata/name");
        mapper.field(
            object,
            &format!("/metadata/labels/{}", pointer::escape(NAMESPACE_NAME_LABEL)),
        );
    }
    for pattern in references::fields(resource) {
        mapper.field(object, pattern);
    }
    for pattern in references::subjects(resource) {
        mapper.subject_names(object, pattern);
    }
    for pattern in references::selectors(resource) {
        mapper.selectors(object, pattern);
    }
    if references::has_pod_template(resource) {
        mapper.affinities(object);
        for spec in references::POD_SPECS {
            mapper.field(object, &format!("{spec}{}", references::CLAIM_OF_A_POD));
        }
    }
    if resource.is_custom() {
        for path in object_references(object) {
            mapper.field(object, &path);
        }
    }
    mapper.changed
}

/// Pointers to the namespaces in the object references of a custom resource's specification: in a map
/// under a key that ends with `Ref`, or in an item of a list under one that ends with `Refs`, beside a
/// `name`. What is called otherwise may mean anything.
/// Source: <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#object-references>
fn object_references(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    // Without recursion, because the depth is the user's.
    let mut open = vec![("/spec".to_owned(), object.get("spec"))];
    while let Some((path, value)) = open.pop() {
        match value {
            Some(Value::Object(fields)) => {
                for (key, value) in fields {
                    let path = format!("{path}/{}", pointer::escape(key));
                    let listed = value.as_array().filter(|_| key.ends_with("Refs"));
                    if key.ends_with("Ref") && is_reference(value) {
                        found.push(format!("{path}/namespace"));
                    }
                    for (index, _) in listed
                        .into_iter()
                        .flatten()
                        .enumerate()
                        .filter(|(_, item)| is_reference(item))
                    {
                        found.push(format!("{path}/{index}/namespace"));
                    }
                    open.push((path, Some(value)));
                }
            }
            Some(Value::Array(items)) => {
                let items = items.iter().enumerate();
                open.extend(items.map(|(index, item)| (format!("{path}/{index}"), Some(item))));
            }
            _ => {}
        }
    }
    found
}

fn is_reference(value: &Value) -> bool {
    value["name"].is_string() && value["namespace"].is_string()
}

/// Where a namespace goes.
#[must_use]
pub fn target<'a>(namespace: &'a str, mappings: &'a BTreeMap<String, String>) -> &'a str {
    mappings.get(namespace).map_or(namespace, String::as_str)
}

struct Mapper<'a> {
    mappings: &'a BTreeMap<String, String>,
    changed: Vec<String>,
}

impl Mapper<'_> {
    /// Every string that the pattern reaches and that is a mapped namespace.
    fn field(&mut self, object: &mut Value, pattern: &str) {
        for path in pointer::expand(object, pattern) {
            self.rewrite(object, path, |text, mappings| mappings.get(text).cloned());
        }
    }

    /// Names of service accounts and their groups as users of RBAC:
    /// `system:serviceaccount:<namespace>:<name>` and `system:serviceaccounts:<namespace>`.
    /// Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>
    fn subject_names(&mut self, object: &mut Value, pattern: &str) {
        for path in pointer::expand(object, pattern) {
            self.rewrite(object, path, |text, mappings| {
                if let Some(rest) = text.strip_prefix("system:serviceaccount:") {
                    let (namespace, name) = rest.split_once(':')?;
                    Some(format!(
                        "system:serviceaccount:{}:{name}",
                        mappings.get(namespace)?
                    ))
                } else {
                    let namespace = text.strip_prefix("system:serviceaccounts:")?;
                    Some(format!(
                        "system:serviceaccounts:{}",
                        mappings.get(namespace)?
                    ))
                }
            });
        }
    }

    /// Label selectors over namespaces, as far as they select by name.
    fn selectors(&mut self, object: &mut Value, pattern: &str) {
        for selector in pointer::expand(object, pattern) {
            self.field(
                object,
                &format!(
                    "{selector}/matchLabels/{}",
                    pointer::escape(NAMESPACE_NAME_LABEL)
                ),
            );
            for expression in pointer::expand(object, &format!("{selector}/matchExpressions/*")) {
                let key = object
                    .pointer(&format!("{expression}/key"))
                    .and_then(Value::as_str);
                if key == Some(NAMESPACE_NAME_LABEL) {
                    self.field(object, &format!("{expression}/values/*"));
                }
            }
        }
    }

    /// Pod affinity terms, which name namespaces or select them.
    fn affinities(&mut self, object: &mut Value) {
        for spec in references::POD_SPECS {
            for affinity in ["podAffinity", "podAntiAffinity"] {
                for term in [
                    "requiredDuringSchedulingIgnoredDuringExecution/*",
                    "preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm",
                ] {
                    let path = format!("{spec}/affinity/{affinity}/{term}");
                    self.field(object, &format!("{path}/namespaces/*"));
                    self.selectors(object, &format!("{path}/namespaceSelector"));
                }
            }
        }
    }

    fn rewrite(
        &mut self,
        object: &mut Value,
        path: String,
        map: impl Fn(&str, &BTreeMap<String, String>) -> Option<String>,
    ) {
        let Some(field) = object.pointer_mut(&path) else {
            return;
        };
        // A field is rewritten once, whichever patterns reach it: a second look-up would undo a swap.
        if self.changed.contains(&path) {
            return;
        }
        if let Some(new) = field.as_str().and_then(|text| map(text, self.mappings)) {
            *field = Value::String(new);
            self.changed.push(path);
        }
    }
}
