//! `PUT …/backupInstances/{instance}`: 201 when new, else 200, with `Azure-AsyncOperation`: the
//! protection is configured after the answer.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::BackupInstanceResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, instances};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    authority: Authority,
    polling: Polling,
    JsonBody(instance): JsonBody<BackupInstanceResource>,
) -> Result<Response> {
    authority.require_instance(&instance.properties)?;
    let accepted = instances::put(&app, &id, instance, &terms).await?;
    let status = written(accepted.written.created);
    let answer = polling.written(status, &accepted.operation, accepted.written.resource);
    tokio::spawn(instances::configure(app, accepted.operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Harness, SUBSCRIPTION};

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
        assert_eq!(
            made.json()["properties"]["provisioningState"],
            "Provisioning"
        );
        assert_eq!(
            made.json()["properties"]["currentProtectionState"],
            "ConfiguringProtection"
        );
        assert_eq!(made.header("retry-after"), "1");
        let status = polled(&harness, made.header("azure-asyncoperation")).await;
        assert_eq!(status["status"], "Succeeded", "{status}");
        let read = harness.get(&path).await.json();
        assert_eq!(read["properties"]["provisioningState"], "Succeeded");
        assert_eq!(
            read["properties"]["currentProtectionState"],
            "ProtectionConfigured"
        );
        assert_eq!(
            read["properties"]["protectionStatus"]["status"],
            "ProtectionConfigured"
        );
        let again = harness.put(&path, body).await;
        assert_eq!(again.status, 200);
        assert_eq!(
            again.json()["properties"]["currentProtectionState"],
            "UpdatingProtection"
        );
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
        assert_eq!(
            read["properties"]["currentProtectionState"],
            "ConfiguringProtectionFailed"
        );
        let code = &read["properties"]["protectionErrorDetails"]["code"];
        assert_eq!(code, &status["error"]["code"], "{status}");
    }

    const CLUSTER: &str = "/properties/dataSourceInfo/resourceID";
    const POLICY: &str = "/properties/policyInfo/policyId";
    const CONFIGURATION: &str =
        "/properties/policyInfo/policyParameters/backupDatasourceParametersList/0";

    fn with(body: &Value, pointer: &str, value: Value) -> Value {
        let mut changed = body.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    }

    #[tokio::test]
    async fn what_an_instance_refers_to_must_exist_and_fit() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        let vault = harness.vault().await;
        let no_policy = format!("{vault}/backupPolicies/none");
        let cluster = body.pointer(CLUSTER).unwrap().clone();
        for (pointer, value, status, code) in [
            (CLUSTER, json!("nonsense"), 400, "InvalidResourceId"),
            (CLUSTER, json!(format!("{vault}x")), 404, "ResourceNotFound"),
            (CLUSTER, json!(vault), 400, "InvalidResourceType"),
            (POLICY, json!(no_policy), 404, "ResourceNotFound"),
            (POLICY, cluster, 400, "UserErrorInvalidBackupPolicy"),
        ] {
            let answer = harness
                .put(&path, with(&body, pointer, value.clone()))
                .await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{value}");
            let field = answer.json()["error"]["target"]
                .as_str()
                .unwrap()
                .replace('.', "/");
            assert_eq!(format!("/{field}"), pointer);
        }
        assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
        assert_eq!(harness.anonymous("PUT", &path).await.status, 401);
    }

    #[tokio::test]
    async fn the_snapshot_resource_group_must_exist_and_stays_while_it_is_used() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        let vault = harness.vault().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/snapshots");
        let naming = |group: &str| {
            let mut body = body.clone();
            body["properties"]["policyInfo"]["policyParameters"]["dataStoreParametersList"] = json!([{
                "objectType": "AzureOperationalStoreParameters",
                "dataStoreType": "OperationalStore", "resourceGroupId": group,
            }]);
            body
        };
        for (id, status, code) in [
            (group.as_str(), 404, "ResourceGroupNotFound"),
            (vault.as_str(), 400, "InvalidResourceType"),
            ("snapshots", 400, "InvalidResourceId"),
        ] {
            let refused = harness.put(&path, naming(id)).await;
            assert_eq!(refused.refusal(), (status, code.to_owned()), "{id}");
            let target = refused.json()["error"]["target"].to_string();
            assert!(
                target.contains("dataStoreParametersList[0].resourceGroupId"),
                "{target}"
            );
        }
        assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
        harness.put(&group, json!({"location": "l"})).await;
        let made = harness.put(&path, naming(&group.to_uppercase())).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let refused = harness.delete(&group).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&path), "{}", refused.text);
        harness.put(&path, body.clone()).await;
        assert_eq!(
            harness.delete(&group).await.status,
            200,
            "it is not named any more"
        );
    }

    #[tokio::test]
    async fn a_configuration_that_cannot_be_followed_is_refused() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        let object_type = format!("{CONFIGURATION}/objectType");
        let mut selector = body.clone();
        selector.pointer_mut(CONFIGURATION).unwrap()["labelSelectors"] = json!(["a in"]);
        let mut namespace = body.clone();
        namespace.pointer_mut(CONFIGURATION).unwrap()["includedNamespaces"] = json!(["No_Such"]);
        let mut hooks = body.clone();
        let twice = json!({"name": "freeze", "namespace": "shop"});
        hooks.pointer_mut(CONFIGURATION).unwrap()["backupHookReferences"] = json!([twice, twice]);
        for (body, code) in [
            (
                with(&body, "/properties/objectType", json!("Instance")),
                "UnknownObjectType",
            ),
            (
                with(&body, &object_type, json!("Blob")),
                "UnknownObjectType",
            ),
            (selector, "UserErrorInvalidLabelSelector"),
            (namespace, "UserErrorInvalidNamespaceFilter"),
            (hooks, "UserErrorInvalidBackupHook"),
        ] {
            let answer = harness.put(&path, body.clone()).await;
            assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        }
        assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
    }

    #[tokio::test]
    async fn a_cluster_is_protected_once_for_each_policy_and_stays_with_its_instance() {
        let harness = Harness::new().await;
        let (path, body) = harness.instance_request().await;
        assert_eq!(harness.put(&path, body.clone()).await.status, 201);
        let second = harness.put(&format!("{path}-2"), body.clone()).await;
        assert_eq!(
            second.refusal(),
            (409, "UserErrorBackupInstanceAlreadyExists".to_owned())
        );
        let other = harness
            .cluster("Microsoft.ContainerService/managedClusters")
            .await;
        let mut moved = body;
        moved["properties"]["dataSourceInfo"]["resourceID"] = json!(other);
        assert_eq!(
            harness.put(&path, moved).await.refusal().1,
            "PropertyChangeNotAllowed"
        );
    }
}
