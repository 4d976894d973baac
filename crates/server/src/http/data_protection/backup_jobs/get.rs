//! `GET …/backupJobs/{job}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::job::JobResource;

use crate::app::{App, Result, backup_jobs};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<JobResource>> {
    Ok(Json(backup_jobs::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_job_tells_who_what_and_how_far() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let job = harness.job(&instance, "InProgress").await;
        let path = format!("{}/backupJobs/{job}", harness.vault().await);
        let read = harness.get(&path).await;
        assert_eq!(read.status, 200, "{}", read.text);
        let read = read.json();
        assert_eq!(read["id"], path.as_str());
        let properties = &read["properties"];
        assert_eq!(properties["status"], "InProgress");
        assert_eq!(properties["operation"], "Backup");
        assert_eq!(properties["operationCategory"], "Backup");
        assert_eq!(properties["backupInstanceId"], instance.as_str());
        assert_eq!(properties["vaultName"], "vault");
        assert_eq!(properties["sourceResourceGroup"], "rg");
        assert_eq!(properties["duration"], "00:00:00.0000000");
        assert!(properties.get("errorDetails").is_none());
    }

    #[tokio::test]
    async fn a_job_is_seen_in_its_own_vault_only_and_with_a_token() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let job = harness.job(&instance, "InProgress").await;
        let vault = harness.vault().await;
        harness
            .put(&format!("{vault}2"), crate::app::vaults::example())
            .await;
        let elsewhere = format!("{vault}2/backupJobs/{job}");
        assert_eq!(
            harness.get(&elsewhere).await.refusal(),
            (404, "ResourceNotFound".to_owned())
        );
        assert_eq!(
            harness
                .get(&format!("{vault}/backupJobs/nonsense"))
                .await
                .status,
            404
        );
        assert_eq!(
            harness
                .anonymous("GET", &format!("{vault}/backupJobs/{job}"))
                .await
                .status,
            401
        );
    }
}
