//! A provider as clients see it, read off the table of routes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use strongroom_api::version;

use crate::app::{App, Result, resource_groups};
use crate::http::routes;

/// The resource types of each namespace.
pub(super) fn providers() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut found: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for route in routes() {
        let Some((_, rest)) = route.path.rsplit_once("/providers/") else {
            continue;
        };
        let mut words = rest.split('/');
        let Some(namespace) = words.next().filter(|word| word.contains('.')) else {
            continue;
        };
        // Collections alternate with names: backupVaults/{vault}/backupInstances/{instance}.
        let mut kind = Vec::new();
        let types = found.entry(namespace).or_default();
        for word in words {
            if word.starts_with('{') {
                types.insert(kind.join("/"));
            } else {
                kind.push(word);
            }
        }
        types.insert(kind.join("/"));
        types.remove("");
    }
    found
}

/// The documents of all providers in a subscription, in the order of their namespaces.
pub(super) async fn all(app: &App, subscription: &str) -> Result<Vec<Value>> {
    let id = crate::app::ResourceId::published(format!("/subscriptions/{subscription}"));
    resource_groups::require_subscription(app, &id).await?;
    let documents = providers().into_iter().map(|(namespace, types)| {
        let versions: Vec<&str> = if namespace == "Microsoft.DataProtection" {
            version::DATA_PROTECTION.iter().rev().copied().collect()
        } else {
            vec![version::for_path(&format!("/providers/{namespace}/x"))]
        };
        let types: Vec<Value> = types
            .into_iter()
            .map(|kind| {
                json!({
                    "resourceType": kind, "apiVersions": versions,
                    // Any word is a location here.
                    "locations": [], "capabilities": "None",
                })
            })
            .collect();
        json!({
            "id": format!("/subscriptions/{subscription}/providers/{namespace}"),
            "namespace": namespace,
            "registrationState": "Registered",
            "registrationPolicy": "RegistrationFree",
            "resourceTypes": types,
        })
    });
    Ok(documents.collect())
}
