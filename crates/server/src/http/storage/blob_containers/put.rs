//! `PUT …/containers/{container}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::storage::BlobContainerResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, storage_accounts};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(document): JsonBody<BlobContainerResource>,
) -> Result<(StatusCode, Json<BlobContainerResource>)> {
    let done = storage_accounts::put_container(&app, &id, document, &terms).await?;
    Ok((written(done.created), Json(done.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Harness;

    #[tokio::test]
    async fn an_embedded_container_is_a_folder() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        assert!(harness.dir.path().join("blobs/backups/points").is_dir());
        assert_eq!(
            harness.get(&container).await.json()["id"],
            container.as_str()
        );
    }

    #[tokio::test]
    async fn a_container_stays_with_its_bucket() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let other = json!({"properties": {"bucket": "other"}});
        assert_eq!(
            harness.put(&container, other).await.refusal().1,
            "PropertyChangeNotAllowed"
        );
        let same = json!({"properties": {"bucket": "points"}});
        assert_eq!(harness.put(&container, same).await.status, 200);
    }

    #[tokio::test]
    async fn a_bucket_that_does_not_answer_is_refused_and_nothing_is_made() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        // Port 1 of this machine refuses connections.
        let body = json!({"location": "westeurope", "properties": {"backend": {
            "kind": "S3", "endpoint": "http://127.0.0.1:1", "accessKeyId": "A", "secretAccessKey": "s"
        }}});
        assert_eq!(harness.put(&account, body).await.status, 201);
        let container = format!("{account}/blobServices/default/containers/bucket");
        let answer = harness.put(&container, json!({"properties": {}})).await;
        assert_eq!(
            answer.refusal(),
            (400, "UserErrorBackupStorageLocationNotReady".to_owned())
        );
        assert_eq!(harness.get(&container).await.status, 404);
    }

    #[tokio::test]
    async fn a_container_needs_its_account_a_valid_name_and_a_token_and_is_never_public() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let body = json!({"properties": {}});
        let of = |name: &str| format!("{account}/blobServices/default/containers/{name}");
        assert_eq!(
            harness.put(&of("points"), body.clone()).await.refusal().1,
            "ResourceNotFound"
        );
        harness.container().await;
        for bad in ["a", "-ab", "a--b", "UPPER"] {
            assert_eq!(
                harness.put(&of(bad), body.clone()).await.refusal().1,
                "InvalidResourceName",
                "{bad}"
            );
        }
        let public = json!({"properties": {"publicAccess": "Blob"}});
        assert_eq!(
            harness.put(&of("open"), public).await.refusal().1,
            "UserErrorInvalidStorageAccount"
        );
        assert_eq!(harness.anonymous("PUT", &of("points")).await.status, 401);
    }
}
