//! `GET …/storageAccounts` of a resource group and of a subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::storage::StorageAccountResource;

use crate::app::{App, Result, storage_accounts};
use crate::http::pagination::PageRequest;
use crate::http::request::{Target, scope_of};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<StorageAccountResource>>> {
    let (found, next) = storage_accounts::list(
        &app,
        &scope_of(&collection),
        page.after.as_deref(),
        page.limit,
    )
    .await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn accounts_are_listed_by_group_and_by_subscription() {
        let harness = Harness::new().await;
        harness.container().await;
        for scope in [
            format!("{SUBSCRIPTION}/resourceGroups/rg"),
            SUBSCRIPTION.to_owned(),
        ] {
            let path = format!("{scope}/providers/Microsoft.Storage/storageAccounts");
            let listed = harness.get(&path).await.json();
            assert_eq!(listed["value"].as_array().unwrap().len(), 1, "{path}");
            assert_eq!(harness.anonymous("GET", &path).await.status, 401);
        }
    }
}
