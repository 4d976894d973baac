//! `GET …/backupVaults/{vault}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::vault::BackupVaultResource;

use crate::app::{App, Result, vaults};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<BackupVaultResource>> {
    Ok(Json(vaults::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::vaults::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_vault_reads_back_as_it_was_answered() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let made = harness.put(&vault, example()).await.json();
        let read = harness.get(&vault).await;
        assert_eq!((read.status, read.json()), (200, made));
        assert_eq!(read.header("content-type"), "application/json");
        assert!(!read.header("x-ms-request-id").is_empty());
    }

    #[tokio::test]
    async fn a_vault_that_is_not_there_is_404() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        assert_eq!(
            harness.get(&vault).await.refusal(),
            (404, "ResourceNotFound".to_owned())
        );
    }

    #[tokio::test]
    async fn reading_a_vault_needs_a_token() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        assert_eq!(harness.anonymous("GET", &vault).await.status, 401);
    }
}
