//! `POST …/backupInstances/{instance}/restore`: starts a restore. 202 with the addresses under which
//! the job's id is found.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::restore::RestoreRequest;
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
    JsonBody(request): JsonBody<RestoreRequest>,
) -> Result<Response> {
    let request = request.request();
    authority.require_cluster(&request.restore_target_info.datasource().resource_id)?;
    let started = jobs::start_restore(&app, &id.without(1), request, RestoreMode::Apply).await?;
    Ok(polling.accepted(&started.operation))
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::{Protected, restore_of};

    #[tokio::test]
    async fn a_restore_of_a_recovery_point_is_accepted() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let answer = it.post("restore", restore_of(&point, &it.cluster)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(it.open_job().await.operation, "Restore");
    }

    #[tokio::test]
    async fn hooks_of_a_cluster_that_does_not_answer_are_left_to_the_job() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let mut request = restore_of(&point, &it.cluster);
        request["restoreTargetInfo"]["restoreCriteria"][0]["restoreHookReferences"] =
            serde_json::json!([{"name": "gone", "namespace": "shop"}]);
        it.harness.clusters.set_unreachable(true);
        let answer = it.post("restore", request).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }

    #[tokio::test]
    async fn what_cannot_be_restored_is_said_before_anything_starts() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let missing = "00000000-0000-0000-0000-000000000000";
        let cases = [
            (
                restore_of(missing, &it.cluster),
                "UserErrorRecoveryPointNotFound",
            ),
            (
                restore_of("not-an-id", &it.cluster),
                "UserErrorRecoveryPointNotFound",
            ),
            (
                restore_of(&point, &format!("{}x", it.cluster)),
                "UserErrorInvalidRestoreTarget",
            ),
        ];
        for (request, code) in cases {
            assert_eq!(it.post("restore", request).await.refusal().1, code);
        }
        let mut mapping = restore_of(&point, &it.cluster);
        mapping["restoreTargetInfo"]["restoreCriteria"][0]["namespaceMappings"] =
            serde_json::json!({"shop": "kube-system"});
        let refused = it.post("restore", mapping).await;
        assert_eq!(refused.refusal().1, "UserErrorInvalidNamespaceMapping");
        let with = |field: &str, value: serde_json::Value| {
            let mut request = restore_of(&point, &it.cluster);
            request["restoreTargetInfo"]["restoreCriteria"][0][field] = value;
            request
        };
        let reference = |name: &str| serde_json::json!({"name": name, "namespace": "shop"});
        let hooks = with(
            "restoreHookReferences",
            serde_json::json!([reference("freeze"), reference("gone")]),
        );
        let refused = it.post("restore", hooks).await;
        assert_eq!(refused.refusal().1, "UserErrorRestoreHookNotFound");
        let rules = with("resourceModifierReference", reference("rules"));
        let refused = it.post("restore", rules).await;
        assert_eq!(refused.refusal().1, "ResourceModifierNotSupported");
        assert_eq!(
            it.harness
                .anonymous("POST", &format!("{}/restore", it.instance))
                .await
                .status,
            401
        );
    }
}
