//! `GET …/backupPolicies/{policy}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::policy::BackupPolicyResource;

use crate::app::{App, Result, policies};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<BackupPolicyResource>> {
    Ok(Json(policies::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::policies::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_policy_reads_back_in_any_case_and_an_unknown_one_is_404() {
        let harness = Harness::new().await;
        let policy = format!("{}/backupPolicies/daily", harness.vault().await);
        harness.put(&policy, example()).await;
        assert_eq!(
            harness.get(&policy.to_lowercase()).await.json()["id"],
            policy.as_str()
        );
        assert_eq!(
            harness.get(&format!("{policy}x")).await.refusal().1,
            "ResourceNotFound"
        );
        assert_eq!(harness.anonymous("GET", &policy).await.status, 401);
    }
}
