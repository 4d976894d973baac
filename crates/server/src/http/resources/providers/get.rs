//! `GET /subscriptions/{subscription}/providers/{namespace}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;
use strongroom_core::error::{Code, Problem};

use super::document;
use crate::app::{App, Result};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Path((subscription, namespace)): Path<(String, String)>,
) -> Result<Json<Value>> {
    one(&app, &subscription, &namespace).await.map(Json)
}

/// The provider with this namespace, or 404.
pub(super) async fn one(app: &App, subscription: &str, namespace: &str) -> Result<Value> {
    let found = document::all(app, subscription).await?;
    let is_it = |one: &Value| {
        let name = one["namespace"].as_str().unwrap_or_default();
        name.eq_ignore_ascii_case(namespace)
    };
    found.into_iter().find(is_it).ok_or_else(|| {
        Problem::new(
            Code::ResourceNotFound,
            format!("The resource namespace '{namespace}' is not one of this server."),
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn providers_are_listed_with_their_types_and_are_registered() {
        let harness = Harness::new().await;
        harness.vault().await;
        let path = format!("{SUBSCRIPTION}/providers");
        let listed = harness.get(&path).await.json();
        let names: Vec<&str> = listed["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["namespace"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"Microsoft.DataProtection"), "{names:?}");
        assert!(names.contains(&"Microsoft.Kubernetes"), "{names:?}");
        let one = format!("{path}/microsoft.dataprotection");
        let found = harness.get(&one).await.json();
        assert_eq!(found["registrationState"], "Registered");
        let types = found["resourceTypes"].as_array().unwrap();
        let instances = types
            .iter()
            .find(|one| one["resourceType"] == "backupVaults/backupInstances");
        assert_eq!(instances.unwrap()["apiVersions"][0], "2026-06-01");
        let registered = harness.call("POST", &format!("{one}/register"), None).await;
        assert_eq!(registered.json()["registrationState"], "Registered");
        let other = format!("{path}/Microsoft.Compute");
        assert_eq!(harness.get(&other).await.refusal().0, 404);
        let nobody = "/subscriptions/99999999-2222-3333-4444-555555555555/providers";
        assert_eq!(
            harness.get(nobody).await.refusal().1,
            "SubscriptionNotFound"
        );
        assert_eq!(harness.anonymous("GET", &path).await.status, 401);
    }
}
