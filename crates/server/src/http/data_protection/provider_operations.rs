//! `GET /providers/Microsoft.DataProtection/operations`: every action there is, as the table of routes has
//! it; what role definitions are made of.

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Value, json};

use crate::http::route::{Reach, Route};
use crate::http::routes as all_routes;

const READ: &str = "Microsoft.DataProtection/operations/read";
const PROVIDER: &str = "Microsoft.DataProtection";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/providers/Microsoft.DataProtection/operations")
            .reaching(Reach::Anyone)
            .get(READ, handle),
    ]
}

async fn handle() -> Json<Value> {
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for route in all_routes() {
        for (method, action) in &route.methods {
            if action.0.starts_with("Microsoft.DataProtection/") {
                found
                    .entry(action.0)
                    .or_default()
                    .push(format!("{method} {}", route.path));
            }
        }
    }
    let value: Vec<Value> = found.iter().map(|(name, does)| shown(name, does)).collect();
    Json(json!({ "value": value }))
}

fn shown(name: &str, does: &[String]) -> Value {
    let path = name
        .strip_prefix("Microsoft.DataProtection/")
        .unwrap_or(name);
    let path = path.strip_suffix("/action").unwrap_or(path);
    let (resource, operation) = path.rsplit_once('/').unwrap_or(("", path));
    json!({
        "name": name,
        "isDataAction": false,
        "origin": "user",
        "display": {
            "provider": PROVIDER, "resource": resource, "operation": operation,
            "description": does.join("; "),
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn every_action_of_the_provider_is_listed_once() {
        let harness = Harness::new().await;
        let path = "/providers/Microsoft.DataProtection/operations";
        let listed = harness.get(path).await.json();
        let names: Vec<&str> = listed["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        let stop = "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action";
        assert_eq!(
            names.iter().filter(|name| **name == stop).count(),
            1,
            "{names:?}"
        );
        assert_eq!(harness.anonymous("GET", path).await.status, 401);
    }
}
