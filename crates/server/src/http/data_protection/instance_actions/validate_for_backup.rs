//! `POST …/backupVaults/{vault}/validateForBackup` with an instance in the body, and
//! `POST …/backupInstances/{instance}/validateForBackup` for one that exists: says everything that
//! keeps a backup from running.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::{BackupInstance, ValidateForBackupRequest};

use crate::app::{App, ResourceId, Result, instances, validation};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target};

pub(super) async fn of_vault(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
    authority: Authority,
    JsonBody(request): JsonBody<ValidateForBackupRequest>,
) -> Result<Response> {
    authority.require_instance(&request.backup_instance)?;
    let vault = id.without(1);
    begin(app, vault.clone(), vault, request.backup_instance, &polling).await
}

pub(super) async fn of_instance(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
) -> Result<Response> {
    let instance = id.without(1);
    let document = instances::get(&app, &instance).await?.properties;
    begin(app, instance.without(2), instance, document, &polling).await
}

async fn begin(
    app: Arc<App>,
    vault: ResourceId,
    target: ResourceId,
    instance: BackupInstance,
    polling: &Polling,
) -> Result<Response> {
    let operation = validation::start(&app, &vault, &target, instance).await?;
    let answer = polling.accepted(&operation);
    tokio::spawn(validation::settle(app, operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cluster_link::ExtensionHealth;
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_protected_instance_is_valid() {
        let it = Protected::new().await;
        let answer = it.post_without_body("validateForBackup").await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_said_at_once_and_first_what_matters() {
        let it = Protected::new().await;
        it.forget_trusted_access().await;
        it.harness
            .clusters
            .set_health(ExtensionHealth::Broken("ImagePullBackOff".to_owned()));
        let answer = it.post_without_body("validateForBackup").await;
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Failed");
        assert_eq!(ended["error"]["code"], "UserErrorTrustedAccessMissing");
        let details: Vec<&str> = ended["error"]["details"]
            .as_array()
            .unwrap()
            .iter()
            .map(|detail| detail["code"].as_str().unwrap())
            .collect();
        assert_eq!(
            details,
            [
                "UserErrorTrustedAccessMissing",
                "UserErrorKubernetesBackupExtensionHasErrors"
            ]
        );
    }

    #[tokio::test]
    async fn a_cluster_that_is_away_is_the_one_thing_to_mend() {
        let it = Protected::new().await;
        it.harness.clusters.set_unreachable(true);
        let answer = it.post_without_body("validateForBackup").await;
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["error"]["code"], "UserErrorClusterUnreachable");
    }

    #[tokio::test]
    async fn a_hook_that_does_not_exist_is_said_before_the_run() {
        let it = Protected::new().await;
        for (hooks, expected) in [
            (["freeze"].as_slice(), None),
            (&["freeze", "gone"], Some(())),
        ] {
            let references: Vec<_> = hooks
                .iter()
                .map(|name| json!({"name": name, "namespace": "shop"}))
                .collect();
            let mut instance = it.instance_document();
            instance["policyInfo"]["policyParameters"] = json!({"backupDatasourceParametersList": [{
                "objectType": "KubernetesClusterBackupDatasourceParameters",
                "snapshotVolumes": true, "includeClusterScopeResources": true,
                "backupHookReferences": references,
            }]});
            let path = format!("{}/validateForBackup", it.vault);
            let body = Some(json!({ "backupInstance": instance }));
            let answer = it.harness.call("POST", &path, body).await;
            let ended = it.ended(answer.header("azure-asyncoperation")).await;
            if expected.is_none() {
                assert_eq!(ended["status"], "Succeeded", "{ended}");
                continue;
            }
            let error = &ended["error"];
            assert_eq!(error["code"], "UserErrorBackupHookNotFound", "{ended}");
            assert_eq!(error["message"], "BackupHook shop/gone does not exist");
            assert_eq!(error["target"], "backupHookReferences");
        }
    }

    #[tokio::test]
    async fn an_instance_that_does_not_exist_yet_is_validated_by_its_vault() {
        let it = Protected::new().await;
        let mut instance = it.instance_document();
        instance["policyInfo"]["policyParameters"] = json!({"backupDatasourceParametersList": [{
            "objectType": "KubernetesClusterBackupDatasourceParameters",
            "snapshotVolumes": false, "includeClusterScopeResources": true,
            "includedNamespaces": ["shop", "nowhere"],
        }]});
        let path = format!("{}/validateForBackup", it.vault);
        let body = Some(json!({ "backupInstance": instance }));
        let answer = it.harness.call("POST", &path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        let result = it.follow(answer.header("location")).await.json();
        assert_eq!(
            result["warnings"][0]["code"], "UserErrorNamespaceNotFound",
            "{result}"
        );
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
    }
}
