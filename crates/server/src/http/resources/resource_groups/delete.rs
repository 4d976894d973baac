//! `DELETE …/resourceGroups/{group}`: 200, or 204 when there was none; 409 while it holds something.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::{App, Result, resource_groups};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(State(app): State<Arc<App>>, Target(id): Target) -> Result<StatusCode> {
    Ok(deleted(resource_groups::delete(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::vaults::example;
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_group_goes_only_when_it_is_empty() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let refused = harness.delete(&group).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&vault), "{}", refused.text);
        harness.delete(&vault).await;
        assert_eq!(harness.delete(&group).await.status, 200);
        assert_eq!(harness.delete(&group).await.status, 204);
        assert_eq!(harness.anonymous("DELETE", &group).await.status, 401);
    }
}
