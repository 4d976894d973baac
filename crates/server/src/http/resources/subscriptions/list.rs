//! `GET /subscriptions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::subscription::Subscription;

use crate::app::{App, Result, resource_groups};
use crate::http::pagination::PageRequest;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    page: PageRequest,
) -> Result<Json<Page<Subscription>>> {
    let (found, next) =
        resource_groups::subscriptions(&app, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::app::resource_groups::ensure_default_subscription;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_new_server_has_one_subscription() {
        let harness = Harness::new().await;
        ensure_default_subscription(&harness.app).await.unwrap();
        ensure_default_subscription(&harness.app).await.unwrap();
        let listed = harness.get("/subscriptions").await.json();
        assert_eq!(listed["value"].as_array().unwrap().len(), 1);
        assert_eq!(harness.anonymous("GET", "/subscriptions").await.status, 401);
    }
}
