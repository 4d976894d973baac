//! `GET /subscriptions/{subscription}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::subscription::Subscription;

use crate::app::{App, Result, resource_groups};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<Subscription>> {
    Ok(Json(resource_groups::subscription(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_subscription_exists_once_a_group_was_written_in_it() {
        let harness = Harness::new().await;
        let refusal = harness.get(SUBSCRIPTION).await.refusal();
        assert_eq!(refusal, (404, "SubscriptionNotFound".to_owned()));
        harness.vault_path().await;
        let found = harness.get(SUBSCRIPTION).await.json();
        assert_eq!(
            (&found["id"], &found["state"]),
            (&SUBSCRIPTION.into(), &"Enabled".into())
        );
        assert_eq!(harness.anonymous("GET", SUBSCRIPTION).await.status, 401);
    }
}
