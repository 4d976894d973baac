//! `PUT …/resourceGroups/{group}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::resource_group::ResourceGroup;

use crate::app::resources::Terms;
use crate::app::{App, Result, resource_groups};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(group): JsonBody<ResourceGroup>,
) -> Result<(StatusCode, Json<ResourceGroup>)> {
    let (group, created) = resource_groups::put(&app, &id, group, &terms).await?;
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
    async fn snapshot_classes_stay_with_a_client_that_does_not_know_them_and_go_when_told() {
        let harness = Harness::new().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/snapshots");
        let classes = json!([
            {"driver": "disk.csi.azure.com", "parameters": {"incremental": "true"}},
            {"driver": "other.example.com", "parameters": {}},
        ]);
        let body = |classes| json!({"location": "l", "properties": {"snapshotClasses": classes}});
        let made = harness.put(&group, body(classes.clone())).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["properties"]["snapshotClasses"], classes);
        harness.put(&group, json!({"location": "l"})).await;
        let read = harness.get(&group).await.json();
        assert_eq!(read["properties"]["snapshotClasses"], classes);
        for (bad, target) in [
            (json!([{"driver": "not a driver"}]), "[0].driver"),
            (
                json!([{"driver": "d", "parameters": {"a": "x".repeat(4096)}}]),
                "[0].parameters",
            ),
            (json!([{"driver": "d"}, {"driver": "d"}]), "[1].driver"),
            (json!(vec![json!({"driver": "d"}); 33]), ""),
        ] {
            let refused = harness.put(&group, body(bad)).await;
            assert_eq!(refused.refusal(), (400, "InvalidRequestContent".to_owned()));
            assert_eq!(
                refused.json()["error"]["target"],
                format!("properties.snapshotClasses{target}")
            );
        }
        let after = harness.get(&group).await.json();
        assert_eq!(after, read, "nothing changed");
        let emptied = harness.put(&group, body(json!([]))).await.json();
        assert!(emptied["properties"].get("snapshotClasses").is_none());
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
