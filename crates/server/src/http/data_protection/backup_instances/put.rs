//! `PUT …/backupInstances/{instance}`: 201 when new, else 200, with `Azure-AsyncOperation`: the
//! protection is configured after the answer.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::BackupInstanceResource;

use crate::app::resources::Preconditions;
use crate::app::{App, Result, instances};
use crate::http::long_running::Polling;
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    preconditions: Preconditions,
    polling: Polling,
    JsonBody(instance): JsonBody<BackupInstanceResource>,
) -> Result<Response> {
    let accepted = instances::put(&app, &id, instance, &preconditions).await?;
    let status = written(accepted.written.created);
    let answer = polling.written(status, &accepted.operation, accepted.written.resource);
    tokio::spawn(instances::configure(app, accepted.operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::Harness;

    async fn polled(harness: &Harness, address: &str) -> Value {
        let path = address.strip_prefix("https://localhost:8443").unwrap();
        loop {
            let status = harness.get(path).await.json();
            if status["status"] != "Inprogress" {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_instance_is_accepted_and_ends_protected() {
        let harness = Harness::new().await;
        let (path, mut body) = harness.instance_request().await;
        // The form only: what a deep validation finds is its own test.
        body["properties"]["validationType"] = json!("ShallowValidation");
        let made = harness.put(&path, body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["properties"]["provisioningState"], "Provisioning");
        assert_eq!(made.json()["properties"]["currentProtectionState"], "ConfiguringProtection");
        assert_eq!(made.header("retry-after"), "1");
        let status = polled(&harness, made.header("azure-asyncoperation")).await;
        assert_eq!(status["status"], "Succeeded", "{status}");
        let read = harness.get(&path).await.json();
        assert_eq!(read["properties"]["provisioningState"], "Succeeded");
        assert_eq!(read["properties"]["currentProtectionState"], "ProtectionConfigured");
        assert_eq!(read["properties"]["protectionStatus"]["status"], "ProtectionConfigured");
        let again = harness.put(&path, body).await;
        assert_eq!(again.status, 200);
        assert_eq!(again.json()["properties"]["currentProtectionState"], "UpdatingProtection");
    }

    #[tokio::test]
    async fn an_instance_that_cannot_be_protected_says_why() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        let made = harness.put(&path, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let status = polled(&harness, made.header("azure-asyncoperation")).await;
        assert_eq!(status["status"], "Failed");
        let read = harness.get(&path).await.json();
        assert_eq!(read["properties"]["currentProtectionState"], "ConfiguringProtectionFailed");
        let code = &read["properties"]["protectionErrorDetails"]["code"];
        assert_eq!(code, &status["error"]["code"], "{status}");
    }

    #[tokio::test]
    async fn what_an_instance_refers_to_must_exist_and_fit() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        let with = |pointer: &str, value: Value| {
            let mut changed = body.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            changed
        };
        let cluster = "/properties/dataSourceInfo/resourceID";
        let policy = "/properties/policyInfo/policyId";
        let configuration = "/properties/policyInfo/policyParameters/backupDatasourceParametersList/0";
        let vault = harness.vault().await;
        let selector = {
            let mut changed = body.clone();
            changed.pointer_mut(configuration).unwrap()["labelSelectors"] = json!(["a in"]);
            changed
        };
        let cases = [
            (with(cluster, json!("nonsense")), 400, "InvalidResourceId", "properties.dataSourceInfo.resourceID"),
            (with(cluster, json!(format!("{vault}x"))), 404, "ResourceNotFound", "properties.dataSourceInfo.resourceID"),
            (with(cluster, json!(vault)), 400, "InvalidResourceType", "properties.dataSourceInfo.resourceID"),
            (with(policy, json!(format!("{vault}/backupPolicies/none"))), 404, "ResourceNotFound", "properties.policyInfo.policyId"),
            (with(policy, body.pointer(cluster).unwrap().clone()), 400, "UserErrorInvalidBackupPolicy", "properties.policyInfo.policyId"),
            (with("/properties/objectType", json!("Instance")), 400, "UnknownObjectType", "properties.objectType"),
            (with(&format!("{configuration}/objectType"), json!("Blob")), 400, "UnknownObjectType", ""),
        ];
        for (body, status, code, target) in cases {
            let answer = harness.put(&path, body.clone()).await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{body}");
            if !target.is_empty() {
                assert_eq!(answer.json()["error"]["target"], target);
            }
        }
        let answer = harness.put(&path, selector).await;
        assert_eq!(answer.refusal(), (400, "UserErrorInvalidLabelSelector".to_owned()));
        assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
        assert_eq!(harness.anonymous("PUT", &path).await.status, 401);
    }

    #[tokio::test]
    async fn a_cluster_is_protected_once_for_each_policy_and_stays_with_its_instance() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        assert_eq!(harness.put(&path, body.clone()).await.status, 201);
        let second = harness.put(&format!("{path}-2"), body.clone()).await;
        assert_eq!(second.refusal(), (409, "UserErrorBackupInstanceAlreadyExists".to_owned()));
        let other = harness.cluster("Microsoft.ContainerService/managedClusters").await;
        let mut moved = body;
        moved["properties"]["dataSourceInfo"]["resourceID"] = json!(other);
        assert_eq!(harness.put(&path, moved).await.refusal().1, "PropertyChangeNotAllowed");
    }
}
