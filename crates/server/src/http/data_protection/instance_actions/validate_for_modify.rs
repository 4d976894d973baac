//! `POST …/backupInstances/{instance}/validateForModifyBackup`: says everything that would keep a backup
//! from running once the instance is written so. 202.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::ValidateForModifyBackupRequest;

use crate::app::{App, Result, instances, validation};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
    authority: Authority,
    JsonBody(request): JsonBody<ValidateForModifyBackupRequest>,
) -> Result<Response> {
    let instance = id.without(1);
    let wanted = request.backup_instance;
    authority.require_instance(&wanted)?;
    instances::check_object_type(&wanted)?;
    instances::check_change(&app, &instance, &wanted).await?;
    let operation = validation::start(&app, &instance.without(2), &instance, wanted).await?;
    let answer = polling.accepted(&operation);
    tokio::spawn(validation::settle(app, operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_change_is_validated_before_it_is_made() {
        let it = Protected::new().await;
        let ask = async |instance: serde_json::Value| {
            let body = json!({"backupInstance": instance});
            it.post("validateForModifyBackup", body).await
        };
        let accepted = ask(it.instance_document()).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        let ended = it.ended(accepted.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        let mut unknown = it.instance_document();
        unknown["policyInfo"]["policyId"] = json!(format!("{}-none", it.policy));
        let accepted = ask(unknown).await;
        let ended = it.ended(accepted.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Failed", "{ended}");
        let mut moved = it.instance_document();
        moved["dataSourceInfo"]["resourceID"] = json!(format!("{}-2", it.cluster));
        assert_eq!(ask(moved).await.refusal().1, "PropertyChangeNotAllowed");
    }
}
