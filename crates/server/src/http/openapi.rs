//! `GET /openapi.json`: the contract as an OpenAPI 3.1 document, for client generators and for tests that
//! send what the contract does not foresee.
//!
//! Contract: nothing in it is written by hand that the code decides. Addresses, methods, actions and versions
//! are those of the table of routes; bodies and answers those of the handlers' signatures ([`contract`]);
//! models those of the wire types; limits the constants that the checks use ([`bounds`], [`parameters`]). It
//! needs no token: it tells what is published with the sources anyway. Source of the form:
//! <https://spec.openapis.org/oas/v3.1.1.html>.

mod bounds;
pub(crate) mod contract;
mod parameters;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use strongroom_api::error::CloudError;
use strongroom_core::error::Code;

use super::error::status;
use super::route::{Access, Operation, Route, Versions};
use contract::{Described, JSON};

/// Name of the schema of a refusal.
const REFUSAL: &str = "Refusal";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/openapi.json", Access::Open)
            .get("Strongroom/openapi/read", handle)
            .documented(|it| it.json::<Value>(200)),
    ]
}

async fn handle() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document(&super::routes()).to_string());
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
    (kind, TEXT.as_str()).into_response()
}

/// The document of these routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let refusal = generator.subschema_for::<CloudError>();
    let mut paths = Map::new();
    for route in routes {
        let mut item = Map::new();
        for operation in &route.described {
            let key = operation.method.as_str().to_lowercase();
            item.insert(key, of_operation(route, operation, &mut generator));
        }
        let parameters = parameters::of_path(route.path);
        if !parameters.is_empty() {
            item.insert("parameters".to_owned(), parameters.into());
        }
        paths.insert(route.path.to_owned(), item.into());
    }
    let mut schemas = generator.take_definitions(true);
    bounds::apply(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Strongroom",
            "description": "The public REST contract of Strongroom: Microsoft.DataProtection for Kubernetes, \
                            and as much of the providers around it as a protected cluster needs.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "responses": {
                REFUSAL: {
                    "description": "Refused; the code is in x-ms-error-code too.",
                    "content": { JSON: { "schema": refusal } },
                },
            },
            "schemas": schemas,
        },
    })
}

fn of_operation(route: &Route, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut it = Described::new(generator);
    for describe in &operation.parts {
        describe(&mut it);
    }
    let mut parameters = std::mem::take(&mut it.parameters);
    parameters.extend(parameters::of_version(route.versions, route.since));
    let mut answers = Map::new();
    for (status, bodies) in &it.answers {
        let mut answer = json!({ "description": words(*status) });
        for (kind, schema) in bodies {
            answer["content"][*kind] = json!({ "schema": schema });
        }
        answers.insert(status.to_string(), answer);
    }
    if it.refuses {
        for status in refusals() {
            let refusal = json!({ "$ref": format!("#/components/responses/{REFUSAL}") });
            answers.entry(status.to_string()).or_insert(refusal);
        }
    }
    let mut document = json!({
        "operationId": operation_id(&operation.method, route.path),
        "tags": [tag(route)],
        "x-strongroom-action": operation.action.0,
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(body) = it.body {
        document["requestBody"] = body;
    }
    if route.access == Access::Open {
        document["security"] = json!([]);
    }
    document
}

/// Every status with which a request can be refused: those of the catalogue, without what is a defect.
fn refusals() -> BTreeSet<u16> {
    let statuses = Code::ALL.iter().map(|code| status(*code));
    statuses
        .filter(|status| *status != StatusCode::INTERNAL_SERVER_ERROR)
        .map(|status| status.as_u16())
        .collect()
}

fn words(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default()
}

/// A name for generated clients: the method and the words of the address.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.fold(method.as_str().to_lowercase(), |id, word| {
        format!("{id}_{word}")
    })
}

fn tag(route: &Route) -> &'static str {
    match route.versions {
        Versions::Of(provider) => provider,
        Versions::None => "Strongroom",
    }
}
