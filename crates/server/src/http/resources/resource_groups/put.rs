//! `PUT …/resourceGroups/{group}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::resource_group::ResourceGroup;

use crate::app::resources::Preconditions;
use crate::app::{App, Result, resource_groups};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    preconditions: Preconditions,
    JsonBody(group): JsonBody<ResourceGroup>,
) -> Result<(StatusCode, Json<ResourceGroup>)> {
    let (group, created) = resource_groups::put(&app, &id, group, &preconditions).await?;
    Ok((written(created), Json(group)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_group_is_made_and_its_location_stays() {
        let harness = Harness::new().await;
        let group = format!("{SUBSCRIPTION}/resourcegroups/Team-A");
        let made = harness
            .put(&group, json!({"location": "West Europe"}))
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["location"], "westeurope");
        assert_eq!(
            made.json()["id"],
            format!("{SUBSCRIPTION}/resourceGroups/Team-A")
        );
        assert_eq!(made.json()["properties"]["provisioningState"], "Succeeded");
        let again = harness
            .put(
                &group,
                json!({"location": "westeurope", "tags": {"a": "b"}}),
            )
            .await;
        assert_eq!(
            (again.status, &again.json()["tags"]),
            (200, &json!({"a": "b"}))
        );
        let moved = harness.put(&group, json!({"location": "eastus"})).await;
        assert_eq!(moved.refusal().1, "InvalidResourceLocation");
    }

    #[tokio::test]
    async fn a_group_without_a_valid_name_location_or_token_is_refused() {
        let harness = Harness::new().await;
        let at = |name: &str| format!("{SUBSCRIPTION}/resourceGroups/{name}");
        let body = json!({"location": "westeurope"});
        for bad in ["ends.", "a%20b", &"x".repeat(91)] {
            assert_eq!(
                harness.put(&at(bad), body.clone()).await.refusal().1,
                "InvalidResourceName"
            );
        }
        assert_eq!(
            harness.put(&at("a%2Fb"), body).await.refusal().1,
            "InvalidResourceId"
        );
        assert_eq!(
            harness.put(&at("g"), json!({})).await.refusal().1,
            "InvalidResourceLocation"
        );
        assert_eq!(harness.anonymous("PUT", &at("g")).await.status, 401);
    }
}
