//! `DELETE …/storageAccounts/{account}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, storage_accounts};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(storage_accounts::delete(&app, &id, &terms).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_account_goes_once_it_has_no_containers() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let account = container.split("/blobServices").next().unwrap().to_owned();
        let refused = harness.delete(&account).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&container), "{}", refused.text);
        assert_eq!(harness.anonymous("DELETE", &account).await.status, 401);
        assert_eq!(harness.delete(&container).await.status, 200);
        assert_eq!(harness.delete(&account).await.status, 200);
        assert_eq!(harness.delete(&account).await.status, 204);
    }
}
