//! `POST …/backupVaults/{vault}/previewBackup`: counts what a backup with a configuration would take;
//! ours. The body is that of `validateForBackup`, of which only the cluster and the configuration matter.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::preview::PreviewBackupRequest;

use crate::app::{App, Result, preview};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
    authority: Authority,
    JsonBody(request): JsonBody<PreviewBackupRequest>,
) -> Result<Response> {
    authority.require_instance(&request.backup_instance)?;
    let operation = preview::start(&app, &id.without(1), &request.backup_instance).await?;
    let answer = polling.accepted(&operation);
    tokio::spawn(preview::settle(app, operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use strongroom_kubernetes::crd::{
        BackupPreview, JobError, JobState, LeftByRule, PreviewFinding, PreviewedType,
    };

    use crate::app::preview;
    use crate::cluster_link::ExtensionHealth;
    use crate::testing::Answer;
    use crate::testing::protection::Protected;

    fn configuration(more: Value) -> Value {
        let mut configuration = json!({
            "objectType": "KubernetesClusterBackupDatasourceParameters",
            "snapshotVolumes": false, "includeClusterScopeResources": true,
        });
        for (name, value) in more.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        configuration
    }

    async fn asked(it: &Protected, more: Value) -> Answer {
        let mut instance = it.instance_document();
        instance["policyInfo"] = json!({"policyId": "",
            "policyParameters": {"backupDatasourceParametersList": [configuration(more)]}});
        let body = Some(json!({ "backupInstance": instance }));
        it.harness
            .call("POST", &format!("{}/previewBackup", it.vault), body)
            .await
    }

    async fn until_created(it: &Protected) {
        for _ in 0..10_000 {
            if !it.harness.clusters.resources().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("no custom resource is made");
    }

    async fn until_ended(it: &Protected, address: &str) -> Value {
        loop {
            let status = it.follow(address).await.json();
            if status["status"] != "Inprogress" {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }

    fn counted(it: &Protected) {
        it.harness.clusters.update_status(|status| {
            status.state = JobState::CompletedWithWarnings;
            status.attempt = 1;
            status.bytes = 30;
            status.counts = BTreeMap::from([
                ("BackedUp".to_owned(), 3),
                ("NotSelected".to_owned(), 7),
                ("Skipped".to_owned(), 2),
            ]);
            status.preview = Some(BackupPreview {
                types: vec![
                    PreviewedType {
                        kind: "ConfigMap".to_owned(),
                        taken: 3,
                        bytes: 30,
                        left: vec![LeftByRule {
                            reason: "a rule".to_owned(),
                            objects: 8,
                        }],
                        ..PreviewedType::default()
                    },
                    PreviewedType {
                        kind: "Event".to_owned(),
                        not_read: Some("events expire".to_owned()),
                        ..PreviewedType::default()
                    },
                ],
                findings: vec![PreviewFinding {
                    code: "UserErrorNamespaceNotFound".to_owned(),
                    object: "Namespace nowhere".to_owned(),
                    message: "it does not exist".to_owned(),
                }],
                left_off: 0,
            });
        });
    }

    #[tokio::test]
    async fn a_preview_ends_in_numbers_and_leaves_neither_job_nor_custom_resource() {
        let it = Protected::new().await;
        let answer = asked(&it, json!({"includedNamespaces": ["shop", "nowhere"]})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        until_created(&it).await;
        counted(&it);
        let ended = until_ended(&it, answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        let result = it.follow(answer.header("location")).await.json();
        assert_eq!(
            (&result["taken"], &result["left"]),
            (&json!(3), &json!(8)),
            "{result}"
        );
        assert_eq!(result["types"][0]["left"][0]["objects"], 8);
        assert_eq!(result["types"][1]["notRead"], "events expire");
        assert_eq!(result["warnings"][0]["code"], "UserErrorNamespaceNotFound");
        assert!(it.harness.clusters.resources().is_empty());
        let jobs = it
            .harness
            .get(&format!("{}/backupJobs", it.vault))
            .await
            .json();
        assert_eq!(jobs["value"], json!([]));
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_configuration_is_said_at_once() {
        let it = Protected::new().await;
        for (bad, code) in [
            (
                json!({"labelSelectors": ["a in (b"]}),
                "UserErrorInvalidLabelSelector",
            ),
            (
                json!({"includedNamespaces": ["Shop"]}),
                "UserErrorInvalidNamespaceFilter",
            ),
            (
                json!({"excludedResourceTypes": ["a//b"]}),
                "UserErrorInvalidResourceTypeFilter",
            ),
        ] {
            let refusal = asked(&it, bad).await.refusal();
            assert_eq!(refusal, (400, code.to_owned()));
        }
        it.forget_trusted_access().await;
        let refusal = asked(&it, json!({})).await.refusal();
        assert_eq!(refusal.1, "UserErrorTrustedAccessMissing");
        let path = format!("{}/previewBackup", it.vault);
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn what_the_extension_could_not_do_is_the_operations_error() {
        let it = Protected::new().await;
        let answer = asked(&it, json!({})).await;
        until_created(&it).await;
        it.harness.clusters.update_status(|status| {
            status.state = JobState::Failed;
            status.error = Some(JobError {
                code: "ApiGroupUnavailable".to_owned(),
                message: "no answer".to_owned(),
                recommended_action: String::new(),
            });
        });
        let ended = until_ended(&it, answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["error"]["code"], "ApiGroupUnavailable", "{ended}");
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn an_extension_that_does_not_work_or_goes_silent_ends_the_preview_truthfully() {
        let it = Protected::new().await;
        it.harness
            .clusters
            .set_health(ExtensionHealth::Broken("no image".to_owned()));
        let answer = asked(&it, json!({})).await;
        let ended = until_ended(&it, answer.header("azure-asyncoperation")).await;
        assert_eq!(
            ended["error"]["code"],
            "UserErrorKubernetesBackupExtensionUnhealthy"
        );
        it.harness.clusters.set_health(ExtensionHealth::Ready {
            version: "1".to_owned(),
            warning: None,
        });
        let answer = asked(&it, json!({})).await;
        until_created(&it).await;
        it.harness.clusters.begin_work();
        it.harness
            .clock
            .advance(std::time::Duration::from_secs(3600));
        let ended = until_ended(&it, answer.header("azure-asyncoperation")).await;
        assert_eq!(
            ended["error"]["code"], "UserErrorBackupPluginPodRestartedDuringBackup",
            "{ended}"
        );
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn a_custom_resource_that_somebody_removed_ends_the_preview() {
        let it = Protected::new().await;
        let answer = asked(&it, json!({})).await;
        until_created(&it).await;
        it.harness.clusters.drop_resources();
        let ended = until_ended(&it, answer.header("azure-asyncoperation")).await;
        assert_eq!(
            ended["error"]["code"],
            "KubernetesBackupCustomResourcesTrackingTimeOutError"
        );
    }

    #[tokio::test]
    async fn a_server_that_was_killed_goes_on_with_the_same_custom_resource() {
        let it = Protected::new().await;
        let vault = crate::app::ResourceId::published(it.vault.clone());
        let instance = serde_json::from_value(it.instance_document()).unwrap();
        let operation = preview::start(&it.harness.app, &vault, &instance)
            .await
            .unwrap();
        let app = std::sync::Arc::clone(&it.harness.app);
        let killed = tokio::spawn(preview::settle(app, operation.clone()));
        until_created(&it).await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
        crate::worker::take_up_for_test(&it.harness.app).await;
        counted(&it);
        loop {
            let mut session = it.harness.app.store.read().await.unwrap();
            let row = session.operation(&operation.id).await.unwrap().unwrap();
            if row.status.is_final() {
                assert_eq!(row.result["taken"], 3, "{row:?}");
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}
