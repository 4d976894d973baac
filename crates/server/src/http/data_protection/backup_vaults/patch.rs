//! `PATCH …/backupVaults/{vault}`: 200; what the body leaves out stays.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::vault::{BackupVaultPatch, BackupVaultResource};

use crate::app::resources::Terms;
use crate::app::{App, Result, vaults};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(patch): JsonBody<BackupVaultPatch>,
) -> Result<Json<BackupVaultResource>> {
    Ok(Json(
        vaults::patch(&app, &id, patch, &terms).await?.resource,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::app::vaults::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_patch_changes_what_it_names_and_nothing_else() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let before = harness.put(&vault, example()).await.json();
        let patch = json!({
            "tags": {"team": "a"},
            "properties": {"securitySettings": {"immutabilitySettings": {"state": "Unlocked"}}}
        });
        let after = harness.call("PATCH", &vault, Some(patch)).await;
        assert_eq!(after.status, 200, "{}", after.text);
        let after = after.json();
        assert_eq!(after["tags"], json!({"team": "a"}));
        let security = &after["properties"]["securitySettings"];
        assert_eq!(security["immutabilitySettings"]["state"], "Unlocked");
        assert_eq!(
            security["softDeleteSettings"],
            before["properties"]["securitySettings"]["softDeleteSettings"]
        );
        assert_eq!(after["identity"], before["identity"]);
        assert_ne!(after["eTag"], before["eTag"]);
    }

    #[tokio::test]
    async fn a_patch_of_one_setting_leaves_its_neighbours() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        let soft_delete = async |settings: serde_json::Value| {
            let patch =
                json!({"properties": {"securitySettings": {"softDeleteSettings": settings}}});
            let after = harness.call("PATCH", &vault, Some(patch)).await.json();
            after["properties"]["securitySettings"]["softDeleteSettings"].clone()
        };
        soft_delete(json!({"retentionDurationInDays": 30})).await;
        let after = soft_delete(json!({"state": "Off"})).await;
        assert_eq!(
            after,
            json!({"state": "Off", "retentionDurationInDays": 30.0})
        );
        let after = soft_delete(json!({"retentionDurationInDays": 60})).await;
        assert_eq!(after["state"], "Off");
    }

    #[tokio::test]
    async fn a_vault_that_is_not_there_cannot_be_patched() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let answer = harness.call("PATCH", &vault, Some(json!({}))).await;
        assert_eq!(answer.refusal(), (404, "ResourceNotFound".to_owned()));
        assert_eq!(harness.anonymous("PATCH", &vault).await.status, 401);
    }
}
