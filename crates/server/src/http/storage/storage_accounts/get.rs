//! `GET …/storageAccounts/{account}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::storage::StorageAccountResource;

use crate::app::{App, Result, storage_accounts};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<StorageAccountResource>> {
    Ok(Json(storage_accounts::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_unknown_account_is_404_and_reading_needs_a_token() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        assert_eq!(
            harness.get(&account).await.refusal(),
            (404, "ResourceNotFound".to_owned())
        );
        assert_eq!(harness.anonymous("GET", &account).await.status, 401);
    }
}
