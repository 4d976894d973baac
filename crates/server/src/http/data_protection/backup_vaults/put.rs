//! `PUT …/backupVaults/{vault}`: 201 when new, else 200; never 202. With `x-ms-deleted-vault-id` a deleted
//! vault is brought back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use strongroom_api::vault::BackupVaultResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, vaults};
use crate::http::request::{JsonBody, Target, written};

/// Names the deleted vault that is to be brought back.
pub(super) const DELETED_VAULT_ID: &str = "x-ms-deleted-vault-id";

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    headers: HeaderMap,
    JsonBody(vault): JsonBody<BackupVaultResource>,
) -> Result<(StatusCode, Json<BackupVaultResource>)> {
    let deleted = headers
        .get(DELETED_VAULT_ID)
        .and_then(|value| value.to_str().ok());
    let vault = vaults::put(&app, &id, vault, deleted, &terms).await?;
    Ok((written(vault.created), Json(vault.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::app::vaults::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn who_wrote_a_vault_and_when_is_told() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let made = harness.put(&vault, example()).await.json();
        let by = &made["systemData"];
        assert_eq!(
            (&by["createdBy"], &by["createdByType"]),
            (&json!("admin"), &json!("Key"))
        );
        assert_eq!(by["createdAt"], "2026-01-02T03:04:05Z");
        assert_eq!(by["lastModifiedBy"], "admin");
    }

    #[tokio::test]
    async fn a_vault_is_created_then_replaced_and_keeps_its_identity() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let first = harness.put(&vault, example()).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let first = first.json();
        assert_eq!(first["id"], vault.as_str());
        assert_eq!(first["type"], "Microsoft.DataProtection/backupVaults");
        assert_eq!(first["properties"]["provisioningState"], "Succeeded");
        assert_eq!(first["location"], "westeurope");
        let second = harness.put(&vault, example()).await;
        assert_eq!(second.status, 200);
        assert_eq!(second.json(), first, "a repeated PUT changes nothing");
        assert!(first["identity"]["principalId"].is_string());
    }

    #[tokio::test]
    async fn an_answer_uses_the_published_case_whatever_the_request_used() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        let answer = harness.put(&vault.to_uppercase(), example()).await;
        assert_eq!(
            (answer.status, answer.json()["id"].as_str().unwrap()),
            (200, vault.as_str())
        );
    }

    #[tokio::test]
    async fn what_cannot_be_a_vault_is_refused_with_the_reason() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let mut no_location = example();
        no_location["location"] = json!(null);
        let mut no_storage = example();
        no_storage["properties"]["storageSettings"] = json!([]);
        let mut unknown_redundancy = example();
        unknown_redundancy["properties"]["storageSettings"][0]["type"] = json!("Twice");
        let mut short = example();
        short["properties"]["securitySettings"] =
            json!({"softDeleteSettings": {"retentionDurationInDays": 13}});
        let mut cross_region = example();
        cross_region["properties"]["featureSettings"] =
            json!({"crossRegionRestoreSettings": {"state": "Enabled"}});
        for (body, code, target) in [
            (no_location, "InvalidResourceLocation", "location"),
            (
                no_storage,
                "InvalidRequestContent",
                "properties.storageSettings",
            ),
            (
                unknown_redundancy,
                "InvalidRequestContent",
                "properties.storageSettings[0].type",
            ),
            (
                short,
                "InvalidRequestContent",
                "properties.securitySettings.softDeleteSettings",
            ),
            (
                cross_region,
                "InvalidRequestContent",
                "properties.featureSettings.crossRegionRestoreSettings",
            ),
            (
                json!({"location": "westeurope"}),
                "InvalidRequestContent",
                "",
            ),
        ] {
            let answer = harness.put(&vault, body.clone()).await;
            assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
            let named = answer.json()["error"]["target"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            assert_eq!(named, target, "{}", answer.text);
        }
        assert_eq!(harness.get(&vault).await.status, 404, "nothing was made");
    }

    #[tokio::test]
    async fn a_name_that_breaks_the_rule_and_a_group_that_is_not_there_are_refused() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let bad = format!("{}/-x", vault.rsplit_once('/').unwrap().0);
        assert_eq!(
            harness.put(&bad, example()).await.refusal().1,
            "InvalidResourceName"
        );
        let elsewhere = vault.replace("resourceGroups/rg", "resourceGroups/none");
        let refusal = harness.put(&elsewhere, example()).await.refusal();
        assert_eq!(refusal, (404, "ResourceGroupNotFound".to_owned()));
    }

    #[tokio::test]
    async fn storage_location_and_one_way_settings_stay() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let mut body = example();
        body["properties"]["storageSettings"][0]["type"] = json!("GeoRedundant");
        body["properties"]["featureSettings"] =
            json!({"crossRegionRestoreSettings": {"state": "Enabled"}});
        body["properties"]["securitySettings"] = json!({
            "softDeleteSettings": {"state": "AlwaysOn"}, "immutabilitySettings": {"state": "Locked"}
        });
        assert_eq!(harness.put(&vault, body.clone()).await.status, 201);
        for (pointer, value) in [
            (
                "/properties/storageSettings/0/type",
                json!("LocallyRedundant"),
            ),
            (
                "/properties/featureSettings/crossRegionRestoreSettings/state",
                json!("Disabled"),
            ),
            (
                "/properties/securitySettings/softDeleteSettings/state",
                json!("Off"),
            ),
        ] {
            let mut changed = body.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            let answer = harness.put(&vault, changed).await;
            assert_eq!(
                answer.refusal(),
                (409, "PropertyChangeNotAllowed".to_owned()),
                "{pointer}"
            );
        }
        let mut moved = body.clone();
        moved["location"] = json!("eastus");
        assert_eq!(
            harness.put(&vault, moved).await.refusal().1,
            "InvalidResourceLocation"
        );
    }

    #[tokio::test]
    async fn preconditions_protect_from_lost_updates() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let made = harness.put(&vault, example()).await.json();
        let current = made["eTag"].as_str().unwrap();
        for (name, value, status) in [
            ("if-none-match", "*", 412),
            ("if-match", "\"other\"", 412),
            ("if-match", current, 200),
            ("if-match", "*", 200),
        ] {
            let request = harness
                .request("PUT", &vault)
                .header("content-type", "application/json")
                .header(name, value)
                .body(axum::body::Body::from(example().to_string()))
                .unwrap();
            assert_eq!(
                harness.send(request).await.status,
                status,
                "{name}: {value}"
            );
        }
    }

    #[tokio::test]
    async fn writing_a_vault_needs_a_token() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        assert_eq!(harness.anonymous("PUT", &vault).await.status, 401);
    }
}
