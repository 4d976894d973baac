//! `PUT …/storageAccounts/{account}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::storage::StorageAccountResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, storage_accounts};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(document): JsonBody<StorageAccountResource>,
) -> Result<(StatusCode, Json<StorageAccountResource>)> {
    let done = storage_accounts::put(&app, &id, document, &terms).await?;
    Ok((written(done.created), Json(done.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Harness;

    #[tokio::test]
    async fn an_account_is_embedded_when_nothing_is_said() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let made = harness
            .put(
                &account,
                json!({"location": "westeurope", "properties": {}}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["properties"]["backend"]["kind"], "Embedded");
        assert_eq!(made.json()["properties"]["provisioningState"], "Succeeded");
    }

    #[tokio::test]
    async fn the_secrets_of_an_s3_account_are_kept_sealed_and_never_given_back() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let mut body = json!({"location": "westeurope", "properties": {"backend": {
            "kind": "S3", "endpoint": "https://s3.example.org", "accessKeyId": "AKIA",
            "secretAccessKey": "very-secret"
        }}});
        let made = harness.put(&account, body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(!made.text.contains("very-secret"), "{}", made.text);
        assert!(!harness.get(&account).await.text.contains("very-secret"));
        // A later write without the secret keeps it.
        body["properties"]["backend"]
            .as_object_mut()
            .unwrap()
            .remove("secretAccessKey");
        assert_eq!(harness.put(&account, body).await.status, 200);
        let database = harness.stored_bytes().await;
        assert!(!database.windows(11).any(|bytes| bytes == b"very-secret"));
    }

    #[tokio::test]
    async fn accounts_of_azure_and_cloud_storage_keep_their_keys_to_themselves() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let other = account.replace("storageAccounts/", "storageAccounts/g");
        let service_account = r#"{"type":"service_account","private_key":"very-secret"}"#;
        for (account, backend, address) in [
            (
                &account,
                json!({"kind": "AzureBlob", "account": "tenant1", "accountKey": "very-secret"}),
                "https://tenant1.blob.core.windows.net",
            ),
            (
                &other,
                json!({"kind": "Gcs", "serviceAccountKey": service_account}),
                "https://storage.googleapis.com",
            ),
        ] {
            let body = json!({"location": "westeurope", "properties": {"backend": backend}});
            let made = harness.put(account, body.clone()).await;
            assert_eq!(made.status, 201, "{}", made.text);
            let properties = &made.json()["properties"];
            assert_eq!(properties["primaryEndpoints"]["blob"], address);
            assert_eq!(
                properties["backend"]["kind"],
                body["properties"]["backend"]["kind"]
            );
            let shown = harness.get(account).await.text;
            assert!(!made.text.contains("very-secret") && !shown.contains("very-secret"));
            let kind = json!({"kind": body["properties"]["backend"]["kind"]});
            let again = json!({"location": "westeurope", "properties": {"backend": kind}});
            assert_eq!(
                harness.put(account, again).await.status,
                200,
                "the key is kept"
            );
        }
        let database = harness.stored_bytes().await;
        assert!(!database.windows(11).any(|bytes| bytes == b"very-secret"));
    }

    #[tokio::test]
    async fn what_cannot_be_an_account_is_refused() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let s3 = |endpoint: &str, key: &str| {
            json!({"location": "westeurope", "properties": {"backend": {
                "kind": "S3", "endpoint": endpoint, "accessKeyId": key, "secretAccessKey": "s"
            }}})
        };
        let backend = |backend: serde_json::Value| json!({"location": "westeurope", "properties": {"backend": backend}});
        let mut no_secret = s3("https://s3.example.org", "AKIA");
        no_secret["properties"]["backend"]
            .as_object_mut()
            .unwrap()
            .remove("secretAccessKey");
        let unknown =
            json!({"location": "westeurope", "properties": {"backend": {"kind": "Tape"}}});
        let mut no_url_for_pods = s3("https://s3.example.org", "AKIA");
        no_url_for_pods["properties"]["backend"]["extensionEndpoint"] = json!("s3.internal:9000");
        for (body, code) in [
            (s3("ftp://s3", "AKIA"), "UserErrorInvalidStorageAccount"),
            (no_url_for_pods, "UserErrorInvalidStorageAccount"),
            (
                s3("https://me:hush@s3.example.org", "AKIA"),
                "UserErrorInvalidStorageAccount",
            ),
            (
                s3("https://s3.example.org", ""),
                "UserErrorInvalidStorageAccount",
            ),
            (no_secret, "UserErrorInvalidStorageAccount"),
            (
                backend(json!({"kind": "AzureBlob"})),
                "UserErrorInvalidStorageAccount",
            ),
            (
                backend(
                    json!({"kind": "AzureBlob", "accountKey": "a2V5", "sharedAccessSignature": "sv=1"}),
                ),
                "UserErrorInvalidStorageAccount",
            ),
            (
                backend(json!({"kind": "Gcs", "serviceAccountKey": "{}"})),
                "UserErrorInvalidStorageAccount",
            ),
            (unknown, "InvalidRequestContent"),
        ] {
            let answer = harness.put(&account, body.clone()).await;
            assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        }
        let bad = account.to_uppercase();
        let answer = harness
            .put(&bad, json!({"location": "x", "properties": {}}))
            .await;
        assert_eq!(answer.refusal().1, "InvalidResourceName");
        assert_eq!(harness.anonymous("PUT", &account).await.status, 401);
    }

    #[tokio::test]
    async fn a_name_is_taken_once_in_a_server_and_a_backend_keeps_its_kind() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let account = container.split("/blobServices").next().unwrap().to_owned();
        let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/other";
        harness.put(group, json!({"location": "westeurope"})).await;
        let again = account.replace("resourceGroups/rg", "resourceGroups/other");
        let body = json!({"location": "westeurope", "properties": {}});
        assert_eq!(
            harness.put(&again, body).await.refusal(),
            (409, "Conflict".to_owned())
        );
        let s3 = json!({"location": "westeurope", "properties": {"backend": {
            "kind": "S3", "endpoint": "https://s3.example.org", "accessKeyId": "A", "secretAccessKey": "s"
        }}});
        assert_eq!(
            harness.put(&account, s3).await.refusal(),
            (409, "PropertyChangeNotAllowed".to_owned())
        );
    }
}
