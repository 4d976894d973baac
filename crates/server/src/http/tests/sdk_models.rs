//! The table of the official SDK's models says of each what the OpenAPI document says.

use serde_json::{Value, json};

use crate::http::openapi::document;
use crate::http::openapi::tests::members;
use crate::http::routes;

const TABLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/sdk-models.md"
));

#[test]
fn every_model_that_is_said_to_be_here_has_all_of_its_members() {
    let document = document(&routes());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut compared = 0;
    for line in TABLE.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, fields, here] = cells[..] else {
            continue;
        };
        let Some(schema) = schemas.get(name) else {
            assert_ne!(here, "not yet", "{name}");
            continue;
        };
        let mut said = members(schema, &Value::Null);
        // What is told by its type has the members of its kinds.
        for kind in schema["oneOf"].as_array().into_iter().flatten() {
            let value = json!({ "objectType": kind["properties"]["objectType"]["const"] });
            said.extend(members(schema, &value));
        }
        let missing: Vec<&str> = fields
            .split(' ')
            .filter(|field| *field != "objectType" && !said.contains(&(*field).to_owned()))
            .collect();
        let wanted = here.strip_prefix("without ").unwrap_or_default();
        assert_eq!(missing.join(", "), wanted, "{name}");
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}
