//! `GET …/backupInstances` of a vault.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::BackupInstanceResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, instances};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<BackupInstanceResource>>> {
    let (found, next) = instances::list(
        &app,
        &collection.without(1),
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
    async fn a_vault_lists_its_instances() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let path = instance.rsplit_once('/').unwrap().0;
        let listed = harness.get(path).await.json();
        assert_eq!(listed["value"][0]["id"], instance.as_str());
        assert_eq!(listed["value"].as_array().unwrap().len(), 1);
        assert_eq!(harness.anonymous("GET", path).await.status, 401);
    }
}
