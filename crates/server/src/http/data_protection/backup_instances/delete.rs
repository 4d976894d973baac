//! `DELETE …/backupInstances/{instance}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, instances};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(instances::delete(&app, &id, &terms).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_deleted_instance_is_gone_and_frees_what_it_used() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        assert_eq!(harness.anonymous("DELETE", &instance).await.status, 401);
        assert_eq!(harness.delete(&instance).await.status, 200);
        assert_eq!(harness.get(&instance).await.status, 404);
        assert_eq!(harness.delete(&instance).await.status, 204);
        let vault = harness.vault().await;
        assert_eq!(
            harness.delete(&vault).await.status,
            200,
            "its policies go with it"
        );
    }

    #[tokio::test]
    async fn an_instance_with_a_running_job_stays() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let job = harness.job(&instance, "InProgress").await;
        let refused = harness.delete(&instance).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&job.to_string()), "{}", refused.text);
    }

    #[tokio::test]
    async fn a_vault_that_protects_something_stays() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let refused = harness.delete(&harness.vault().await).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&instance), "{}", refused.text);
    }
}
