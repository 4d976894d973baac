//! `DELETE …/backupPolicies/{policy}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, policies};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(policies::delete(&app, &id, &terms).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::policies::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_policy_goes_unless_an_instance_uses_it() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let vault = harness.vault().await;
        let used = harness
            .delete(&format!("{vault}/backupPolicies/policy"))
            .await;
        assert_eq!(used.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(used.text.contains(&instance), "{}", used.text);
        let free = format!("{vault}/backupPolicies/free");
        harness.put(&free, example()).await;
        assert_eq!(harness.anonymous("DELETE", &free).await.status, 401);
        assert_eq!(harness.delete(&free).await.status, 200);
        assert_eq!(harness.delete(&free).await.status, 204);
    }
}
