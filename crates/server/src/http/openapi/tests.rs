//! The document says all that the server takes and answers.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::contract::Described;
use super::document;
use crate::http::path_case::PathCase;
use crate::http::routes;
use crate::testing::{Answer, Harness};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&routes()));

#[test]
fn every_method_of_every_route_is_in_the_document_once_and_says_its_action_and_its_answers() {
    let mut ids = BTreeSet::new();
    for route in routes() {
        assert_eq!(route.methods.len(), route.described.len(), "{}", route.path);
        for (method, action) in &route.methods {
            let of = &DOCUMENT["paths"][route.path][method.as_str().to_lowercase()];
            assert_eq!(
                of["x-strongroom-action"], action.0,
                "{method} {}",
                route.path
            );
            assert!(
                ids.insert(of["operationId"].as_str().unwrap().to_owned()),
                "{of}"
            );
        }
        for operation in &route.described {
            let mut generator = SchemaSettings::draft2020_12().into_generator();
            let mut it = Described::new(&mut generator);
            operation.parts.iter().for_each(|part| part(&mut it));
            let succeeds = it.answers.keys().any(|status| *status < 300);
            assert!(
                succeeds != it.is_refused_always,
                "{} {} must say what it answers, with documented()",
                operation.method,
                route.path
            );
        }
    }
    assert_eq!(
        DOCUMENT["paths"].as_object().unwrap().len(),
        routes().len(),
        "and nothing else is"
    );
}

#[test]
fn every_placeholder_and_every_reference_leads_somewhere() {
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let said: Vec<&str> = item["parameters"].as_array().map_or_else(Vec::new, |all| {
            all.iter()
                .map(|one| one["name"].as_str().unwrap())
                .collect()
        });
        let there: Vec<&str> = path
            .split('/')
            .filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(said, there, "{path}");
    }
    fn walk(value: &Value, count: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    assert!(!resolved(reference).is_null(), "{reference}");
                    *count += 1;
                }
                members.values().for_each(|member| walk(member, count));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, count)),
            _ => {}
        }
    }
    let mut count = 0;
    walk(&DOCUMENT, &mut count);
    assert!(count > 100, "{count}");
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let harness = Harness::new().await;
    let answer = harness.anonymous("GET", "/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), *DOCUMENT);
}

#[test]
fn what_the_document_does_not_have_is_noticed() {
    let vault = json!({"$ref": "#/components/schemas/BackupVaultResource"});
    let of = |properties: Value| undeclared(&vault, &json!({"properties": properties}), "");
    assert_eq!(of(json!({"secureScore": "None"})), Vec::<String>::new());
    assert_eq!(of(json!({"colour": 1})), ["/properties/colour"]);
    let nested = json!({"securitySettings": {"softDeleteSettings": {"colour": 1}}});
    let at = "/properties/securitySettings/softDeleteSettings/colour";
    assert_eq!(of(nested), [at]);
    let policy = json!({"$ref": "#/components/schemas/BaseBackupPolicyResource"});
    let rule = json!({"objectType": "AzureRetentionRule", "name": "x", "colour": 1});
    let body = json!({"properties": {"objectType": "BackupPolicy", "policyRules": [rule]}});
    assert_eq!(
        undeclared(&policy, &body, ""),
        ["/properties/policyRules/0/colour"]
    );
}

/// Fails when an answer is not one that the document has: its status, its media type, each member of it. Every
/// answer of every test of the server is held against it.
pub(crate) fn assert_documented(method: &str, path: &str, answer: &Answer) {
    static PATHS: LazyLock<PathCase> =
        LazyLock::new(|| PathCase::new(routes().iter().map(|route| route.path)));
    let Some(route) = PATHS.route(path) else {
        return;
    };
    let operation = &DOCUMENT["paths"][&route][method.to_lowercase()];
    // A defect, and what the server does not take, are in no document.
    if operation.is_null() || answer.status == 500 {
        return;
    }
    let said = &operation["responses"][answer.status.to_string()];
    assert!(
        !said.is_null(),
        "{method} {route} answers {}, which its document does not say: {}",
        answer.status,
        answer.text
    );
    let said = said["$ref"].as_str().map_or(said, resolved);
    if answer.text.is_empty() {
        return;
    }
    let kind = answer.header("content-type");
    let kind = kind.split(';').next().unwrap();
    let body = &said["content"][kind];
    assert!(!body.is_null(), "{method} {route} answers {kind}: {said}");
    if kind == super::JSON {
        let found = undeclared(&body["schema"], &answer.json(), "");
        assert_eq!(
            found,
            Vec::<String>::new(),
            "{method} {route}: {}",
            answer.text
        );
    }
}

/// What the document says of the operation that a request of this method at this address is.
pub(crate) fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let paths = PathCase::new(routes().iter().map(|route| route.path));
    let route = paths.route(path).unwrap();
    &document["paths"][&route][method.to_lowercase()]
}

/// The members that a schema names, wherever it says so; of alternatives those of what `value` may be.
pub(crate) fn members(schema: &Value, value: &Value) -> Vec<String> {
    let parts = parts(schema, value).into_iter();
    let named = parts.filter_map(|part| part["properties"].as_object());
    named
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

fn resolved(reference: &str) -> &'static Value {
    DOCUMENT
        .pointer(reference.strip_prefix('#').unwrap())
        .unwrap_or(&Value::Null)
}

/// The members of a value that its schema does not name.
fn undeclared(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let parts = parts(schema, value);
    let is_anything = parts.iter().any(|part| is_anything(part));
    match value {
        Value::Object(members) if !is_anything => members
            .iter()
            .flat_map(|(name, member)| {
                let at = format!("{at}/{name}");
                let named = parts.iter().filter_map(|part| part["properties"].get(name));
                let others = parts
                    .iter()
                    .filter_map(|part| part.get("additionalProperties"));
                match named.chain(others).next() {
                    Some(schema) => undeclared(schema, member, &at),
                    None => vec![at],
                }
            })
            .collect(),
        Value::Array(items) => {
            let schema = parts.iter().find_map(|part| part.get("items"));
            let schema = schema.unwrap_or(&Value::Null);
            let each = items.iter().enumerate();
            each.flat_map(|(n, item)| undeclared(schema, item, &format!("{at}/{n}")))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a schema says nothing of what it is.
fn is_anything(schema: &Value) -> bool {
    const SAYS: [&str; 6] = [
        "properties",
        "additionalProperties",
        "$ref",
        "anyOf",
        "oneOf",
        "items",
    ];
    match schema {
        Value::Object(keywords) => !SAYS.iter().any(|word| keywords.contains_key(*word)),
        _ => true,
    }
}

/// A schema and all that it refers to; of alternatives those that `value` may be.
fn parts<'a>(schema: &'a Value, value: &Value) -> Vec<&'a Value> {
    let mut found = vec![schema];
    if let Some(reference) = schema["$ref"].as_str() {
        found.extend(parts(resolved(reference), value));
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(parts(all, value));
    }
    for word in ["anyOf", "oneOf"] {
        for one in schema[word].as_array().into_iter().flatten() {
            let tagged = ["objectType", "kind"].iter().any(|tag| {
                let wanted = &one["properties"][*tag]["const"];
                !wanted.is_null() && *wanted != value[*tag]
            });
            if !tagged && one["type"] != "null" {
                found.extend(parts(one, value));
            }
        }
    }
    // A reference alone says nothing itself.
    found.retain(|part| !(part.get("$ref").is_some() && part.get("properties").is_none()));
    found
}
