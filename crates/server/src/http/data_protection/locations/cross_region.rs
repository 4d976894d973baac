//! What lies in a vault's secondary location, and restores from there.
//!
//! Recovery points have no copies there yet, so the lists are empty and a restore is refused, each with the
//! reason; a vault that has Cross Region Restore off is told so first.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strongroom_api::support::{
    CrossRegionRestoreJobRequest, CrossRegionRestoreRequest, FetchSecondaryRecoveryPointsRequest,
};
use strongroom_core::error::{Code, Problem};

use crate::app::{App, ResourceId, Result, resources, vaults};
use crate::http::permit::Authority;
use crate::http::request::JsonBody;

/// The address names a resource group only; what is asked about lies in the vault that the body names.
const VAULT_READ: &str = "Microsoft.DataProtection/backupVaults/read";

/// `fetchSecondaryRecoveryPoints`.
pub(super) async fn points(
    State(app): State<Arc<App>>,
    authority: Authority,
    JsonBody(request): JsonBody<FetchSecondaryRecoveryPointsRequest>,
) -> Result<Json<Value>> {
    let instance = request.source_backup_instance_id.unwrap_or_default();
    require_of_instance(&app, &authority, &instance).await?;
    Ok(Json(json!({ "value": [] })))
}

/// `fetchCrossRegionRestoreJobs`.
pub(super) async fn jobs(
    State(app): State<Arc<App>>,
    authority: Authority,
    JsonBody(request): JsonBody<CrossRegionRestoreJobRequest>,
) -> Result<Json<Value>> {
    let vault = ResourceId::published(request.source_backup_vault_id.unwrap_or_default());
    authority.require_linked(VAULT_READ, vault.as_str())?;
    vaults::require_cross_region_restore(&app, &vault).await?;
    Ok(Json(json!({ "value": [] })))
}

/// `fetchCrossRegionRestoreJob`.
pub(super) async fn job(
    State(app): State<Arc<App>>,
    authority: Authority,
    JsonBody(request): JsonBody<CrossRegionRestoreJobRequest>,
) -> Result<Infallible> {
    let vault = ResourceId::published(request.source_backup_vault_id.unwrap_or_default());
    authority.require_linked(VAULT_READ, vault.as_str())?;
    vaults::require_cross_region_restore(&app, &vault).await?;
    let job = vault.child("backupJobs", &request.job_id.unwrap_or_default());
    Err(resources::not_found(&job))
}

/// `crossRegionRestore` and `validateCrossRegionRestore`.
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    authority: Authority,
    JsonBody(request): JsonBody<CrossRegionRestoreRequest>,
) -> Result<Infallible> {
    let details = request.cross_region_restore_details;
    let instance = details.source_backup_instance_id.unwrap_or_default();
    require_of_instance(&app, &authority, &instance).await?;
    Err(Problem::new(
        Code::UserErrorRecoveryPointNotFound,
        format!("No recovery point of '{instance}' has a copy in the secondary location."),
    )
    .at("restoreRequestObject.recoveryPointId")
    .into())
}

async fn require_of_instance(app: &App, authority: &Authority, instance: &str) -> Result<()> {
    authority.require_linked(VAULT_READ, instance)?;
    let instance = ResourceId::published(instance.to_owned());
    resources::existing(&mut *app.store.read().await?, &instance).await?;
    vaults::require_cross_region_restore(app, &instance.without(2)).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_vault_says_why_there_is_nothing_in_its_secondary_location() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let vault = harness.vault().await;
        let at = |what: &str| {
            format!(
                "{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataProtection/locations/northeurope/{what}"
            )
        };
        let of_instance = json!({"sourceRegion": "westeurope", "sourceBackupInstanceId": instance});
        let of_vault =
            json!({"sourceRegion": "westeurope", "sourceBackupVaultId": vault, "jobId": "x"});
        let restore = json!({"restoreRequestObject": {}, "crossRegionRestoreDetails": of_instance});
        for (what, body) in [
            ("fetchSecondaryRecoveryPoints", &of_instance),
            ("fetchCrossRegionRestoreJobs", &of_vault),
            ("fetchCrossRegionRestoreJob", &of_vault),
            ("crossRegionRestore", &restore),
            ("validateCrossRegionRestore", &restore),
        ] {
            let refused = harness.call("POST", &at(what), Some(body.clone())).await;
            let code = "UserErrorCrossRegionRestoreNotEnabled".to_owned();
            assert_eq!(refused.refusal(), (409, code), "{what}");
            assert_eq!(harness.anonymous("POST", &at(what)).await.status, 401);
        }
    }
}
