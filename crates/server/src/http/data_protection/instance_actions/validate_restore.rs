//! `POST …/backupInstances/{instance}/validateRestore`: computes what a restore would do, without
//! doing it. The operation ends with the computation; its job's report is the plan.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::restore::ValidateRestoreRequest;
use strongroom_kubernetes::crd::RestoreMode;

use crate::app::{App, Result, jobs};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
    authority: Authority,
    JsonBody(request): JsonBody<ValidateRestoreRequest>,
) -> Result<Response> {
    let request = request.restore_request_object.request();
    authority.require_cluster(&request.restore_target_info.datasource().resource_id)?;
    let started = jobs::start_restore(&app, &id.without(1), request, RestoreMode::Validate).await?;
    Ok(polling.accepted(&started.operation))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::protection::{Protected, restore_of};

    #[tokio::test]
    async fn the_operation_goes_on_until_the_plan_is_there() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let request = json!({"restoreRequestObject": restore_of(&point, &it.cluster)});
        let answer = it.post("validateRestore", request).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let status = answer.header("azure-asyncoperation").to_owned();
        assert_eq!(it.follow(&status).await.json()["status"], "Inprogress");
        it.extension_validates().await;
        assert_eq!(it.follow(&status).await.json()["status"], "Succeeded");
        let result = it.follow(answer.header("location")).await.json();
        assert!(result["jobId"].is_string(), "{result}");
    }

    #[tokio::test]
    async fn a_validation_needs_a_token() {
        let it = Protected::new().await;
        let path = format!("{}/validateRestore", it.instance);
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
    }
}
