//! `DELETE …/backupVaults/{vault}`: 200, or 204 when there was none; 409 while it protects something.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, vaults};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(vaults::delete(&app, &id, &terms).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::vaults::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_deleted_vault_is_gone_and_a_second_delete_is_fine() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        assert_eq!(harness.delete(&vault).await.status, 200);
        assert_eq!(harness.get(&vault).await.status, 404);
        assert_eq!(harness.delete(&vault).await.status, 204);
    }

    #[tokio::test]
    async fn deleting_a_vault_needs_a_token() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        assert_eq!(harness.anonymous("DELETE", &vault).await.status, 401);
        assert_eq!(harness.get(&vault).await.status, 200);
    }
}
