//! `GET …/containers/{container}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::storage::BlobContainerResource;

use crate::app::{App, Result, storage_accounts};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<BlobContainerResource>> {
    Ok(Json(storage_accounts::get_container(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_unknown_container_is_404_and_reading_needs_a_token() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        assert_eq!(
            harness.get(&format!("{container}x")).await.refusal().1,
            "ResourceNotFound"
        );
        assert_eq!(harness.anonymous("GET", &container).await.status, 401);
    }
}
