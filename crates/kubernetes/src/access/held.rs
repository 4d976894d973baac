//! What of a role, binding or account is not there.
//!
//! Contract: pure, over the object that we would make and the one that was found. More than we would make
//! is no fault: somebody may have added a subject or a rule.

use serde_json::Value;

use super::Permission;

/// What `found` lacks of `expected`, each in a sentence; nothing when all of it is there.
pub fn lacks(expected: &Value, found: Option<&Value>) -> Vec<String> {
    let named = named(expected);
    let Some(found) = found else {
        return vec![format!("{named} does not exist")];
    };
    let mut lacking = Vec::new();
    let namespace = expected["metadata"]["namespace"].as_str();
    let held = array(found, "rules");
    for rule in array(expected, "rules") {
        let missing = permissions(rule, namespace)
            .into_iter()
            .find(|wanted| !held.iter().any(|held| grants(held, wanted)));
        lacking.extend(missing.map(|missing| format!("{named} lacks {missing}")));
    }
    if refers_elsewhere(expected, found) {
        lacking.push(format!("{named} refers to another role"));
    }
    let subjects = array(found, "subjects");
    for subject in array(expected, "subjects") {
        let is_same = |other: &&Value| {
            ["kind", "name", "namespace"]
                .iter()
                .all(|field| other[field] == subject[field])
        };
        if !subjects.iter().any(|other| is_same(&other)) {
            let who = subject["name"].as_str().unwrap_or_default();
            lacking.push(format!("{named} does not name the service account {who}"));
        }
    }
    lacking
}

/// Whether a binding is of another role. That cannot be changed: it takes another binding.
pub fn refers_elsewhere(expected: &Value, found: &Value) -> bool {
    ["kind", "name"]
        .iter()
        .any(|field| expected["roleRef"][field] != found["roleRef"][field])
}

fn named(object: &Value) -> String {
    let metadata = &object["metadata"];
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = metadata["name"].as_str().unwrap_or_default();
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn array<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().map_or(&[], Vec::as_slice)
}

fn words<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + Clone {
    array(rule, field).iter().filter_map(Value::as_str)
}

/// Each single permission of an RBAC rule.
fn permissions(rule: &Value, namespace: Option<&str>) -> Vec<Permission> {
    let mut all = Vec::new();
    for group in words(rule, "apiGroups") {
        for resource in words(rule, "resources") {
            let one = |verb: &str| Permission {
                namespace: namespace.map(str::to_owned),
                ..Permission::cluster_wide(verb, group, resource)
            };
            all.extend(words(rule, "verbs").map(one));
        }
    }
    all
}

/// Whether an RBAC rule grants a permission by itself. One that is narrowed to names does not.
/// Source: `RulesAllow` of the API server (`pkg/registry/rbac/validation/rule.go`, `VerbMatches` and others).
fn grants(rule: &Value, wanted: &Permission) -> bool {
    let has = |field: &str, word: &str| words(rule, field).any(|held| held == word || held == "*");
    array(rule, "resourceNames").is_empty()
        && has("apiGroups", &wanted.group)
        && has("resources", &wanted.resource)
        && has("verbs", &wanted.verb)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(rules: Value) -> Value {
        json!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": rules})
    }

    fn binding(role: &str, subjects: Value) -> Value {
        json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"},
            "roleRef": {"kind": "Role", "name": role}, "subjects": subjects})
    }

    #[test]
    fn a_role_that_grants_as_much_or_more_lacks_nothing() {
        let expected = role(json!([
            {"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get", "list"]}]));
        for held in [
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
            json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
                {"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["list"]},
                {"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["get"]}]),
        ] {
            assert_eq!(lacks(&expected, Some(&role(held))), Vec::<String>::new());
        }
    }

    #[test]
    fn what_a_role_lacks_is_told_with_the_rule_that_grants_it() {
        let expected = role(json!([
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}]));
        let held = role(json!([
            {"apiGroups": [""], "resources": ["pods/exec", "pods"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"], "resourceNames": ["x"]}]));
        assert_eq!(
            lacks(&expected, Some(&held)),
            [
                r#"ClusterRole r lacks a rule with apiGroups: ["*"], resources: ["*"], verbs: ["get"] in a ClusterRole"#,
                r#"ClusterRole r lacks a rule with apiGroups: [""], resources: ["pods/exec"], verbs: ["create"] in a ClusterRole"#,
            ]
        );
        assert_eq!(lacks(&expected, None), ["ClusterRole r does not exist"]);
    }

    #[test]
    fn a_binding_must_be_of_the_role_and_name_the_account_and_may_name_others() {
        let us = json!({"kind": "ServiceAccount", "name": "us", "namespace": "ns"});
        let them = json!({"kind": "ServiceAccount", "name": "us", "namespace": "other"});
        let expected = binding("r", json!([us]));
        let both = binding("r", json!([them, us]));
        assert_eq!(lacks(&expected, Some(&both)), Vec::<String>::new());
        assert_eq!(
            lacks(&expected, Some(&binding("other", json!([them])))),
            [
                "RoleBinding ns/b refers to another role",
                "RoleBinding ns/b does not name the service account us"
            ]
        );
    }
}
