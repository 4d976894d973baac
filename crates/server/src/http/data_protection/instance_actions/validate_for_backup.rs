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
    instances::check_object_type(&request.backup_instance)?;
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
    use serde_json::{Value, json};
    use strongroom_kubernetes::crd::{PreviewFinding, STORAGE_LOCATION};

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

    /// How a validation of the instance ends, and what it warns of when it succeeds.
    async fn validated(it: &Protected) -> (Value, Value) {
        let answer = it.post_without_body("validateForBackup").await;
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        let warnings = match ended["status"].as_str() {
            Some("Succeeded") => it.follow(answer.header("location")).await.json(),
            _ => Value::Null,
        };
        (ended["error"].clone(), warnings["warnings"].clone())
    }

    fn finding(code: &str, object: &str) -> PreviewFinding {
        PreviewFinding {
            code: code.to_owned(),
            object: object.to_owned(),
            message: "it is so".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_store_that_only_the_extension_cannot_use_is_said_and_the_probe_leaves_nothing() {
        let it = Protected::new().await;
        let code = "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation";
        let clusters = &it.harness.clusters;
        clusters.set_probe_findings(vec![
            finding(code, STORAGE_LOCATION),
            finding("VolumeSnapshotClassMissing", "PersistentVolumeClaim shop/a"),
        ]);
        let (error, _) = validated(&it).await;
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["message"], "From inside the cluster: it is so.");
        assert!(clusters.resources().is_empty());
        let folder = it
            .harness
            .app
            .blobs
            .path()
            .join("acct01/backups/strongroom-probe");
        let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
        assert_eq!(left, 0);
        let jobs = it.harness.get(&format!("{}/backupJobs", it.vault)).await;
        assert_eq!(jobs.json()["value"], json!([]));
    }

    #[tokio::test]
    async fn volumes_without_a_class_for_snapshots_are_a_warning() {
        let it = Protected::new().await;
        let code = "VolumeSnapshotClassMissing";
        let of = |claim| finding(code, &format!("PersistentVolumeClaim shop/{claim}"));
        let clusters = &it.harness.clusters;
        clusters.set_probe_findings(vec![of("a"), of("b"), of("c")]);
        let (error, warnings) = validated(&it).await;
        assert_eq!(error, Value::Null);
        assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
        assert_eq!(warnings[0]["code"], code);
        let message = "PersistentVolumeClaim shop/a and 2 more: it is so.";
        assert_eq!(warnings[0]["message"], message);
    }

    #[tokio::test]
    async fn an_extension_that_is_older_or_lacks_rights_is_said_with_what_to_do() {
        let it = Protected::new().await;
        it.harness.clusters.set_older_extension();
        let (error, _) = validated(&it).await;
        let code = "UserErrorKubernetesBackupExtensionHasErrors";
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains("StorageProbe"));
        let lacking = "ClusterRole strongroom-backup-extension does not exist";
        it.harness.clusters.set_extension_lacks(&[lacking]);
        let (error, _) = validated(&it).await;
        assert_eq!(error["code"], "UserErrorClusterPermissionMissing");
        assert!(error["message"].as_str().unwrap().contains(lacking));
    }

    #[tokio::test]
    async fn a_credential_of_the_cluster_that_lost_rights_is_a_warning() {
        let it = Protected::new().await;
        let rule = "a rule with apiGroups: [\"\"]";
        it.harness.clusters.set_missing_rights(&[rule]);
        let (error, warnings) = validated(&it).await;
        assert_eq!(error, Value::Null);
        assert_eq!(warnings[0]["code"], "UserErrorClusterPermissionMissing");
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
