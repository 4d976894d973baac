//! `GET …/containers` of a storage account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::storage::BlobContainerResource;

use crate::app::{App, Result, storage_accounts};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<BlobContainerResource>>> {
    let (found, next) = storage_accounts::list_containers(
        &app,
        &collection.without(3),
        page.after.as_deref(),
        page.limit,
    )
    .await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_account_lists_its_containers() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let path = container.rsplit_once('/').unwrap().0;
        let listed = harness.get(path).await.json();
        assert_eq!(listed["value"][0]["id"], container.as_str());
        assert_eq!(harness.anonymous("GET", path).await.status, 401);
    }
}
