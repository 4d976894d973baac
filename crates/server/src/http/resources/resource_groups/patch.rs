//! `PATCH …/resourceGroups/{group}`: 200; what the body leaves out stays.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::resource_group::{ResourceGroup, ResourceGroupPatch};

use crate::app::resources::Terms;
use crate::app::{App, Result, resource_groups};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(patch): JsonBody<ResourceGroupPatch>,
) -> Result<Json<ResourceGroup>> {
    Ok(Json(
        resource_groups::patch(&app, &id, patch, &terms).await?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_patch_changes_what_it_names_and_nothing_else() {
        let harness = Harness::new().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let patch = |body| harness.call("PATCH", &group, Some(body));
        let none = patch(json!({"tags": {}})).await;
        assert_eq!(none.refusal().1, "ResourceGroupNotFound");
        let classes = json!([{"driver": "disk.csi.azure.com", "parameters": {}}]);
        let body = json!({"location": "l", "properties": {"snapshotClasses": classes}});
        harness.put(&group, body).await;
        let changed = patch(json!({"tags": {"team": "a"}})).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let read = harness.get(&group).await.json();
        assert_eq!(read["tags"], json!({"team": "a"}));
        assert_eq!(read["location"], "l");
        assert_eq!(read["properties"]["snapshotClasses"], classes);
        patch(json!({})).await;
        assert_eq!(harness.get(&group).await.json(), read);
    }
}
