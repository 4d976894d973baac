//! `GET …/resourceGroups`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::resource_group::ResourceGroup;

use crate::app::{App, Result, resource_groups};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ResourceGroup>>> {
    let (found, next) = resource_groups::list(
        &app,
        &collection.subscription(),
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
    async fn a_subscription_lists_its_groups_only() {
        let harness = Harness::new().await;
        let address = format!("{SUBSCRIPTION}/resourceGroups");
        assert_eq!(
            harness.get(&address).await.refusal().1,
            "SubscriptionNotFound"
        );
        harness.vault_path().await;
        assert_eq!(
            harness.get(&address).await.json()["value"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(harness.anonymous("GET", &address).await.status, 401);
    }
}
