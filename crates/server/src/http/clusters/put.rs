//! `PUT …/connectedClusters/{cluster}` and `…/managedClusters/{cluster}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::cluster::ClusterResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, clusters};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(document): JsonBody<ClusterResource>,
) -> Result<(StatusCode, Json<ClusterResource>)> {
    let done = clusters::put(&app, clusters::type_of(&id), &id, document, &terms).await?;
    Ok((written(done.created), Json(done.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::app::clusters;
    use crate::testing::{Harness, KUBECONFIG};

    #[tokio::test]
    async fn a_cluster_is_registered_and_its_kubeconfig_is_never_given_back() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let cluster = harness.cluster(type_name).await;
            let read = harness.get(&cluster).await;
            let properties = &read.json()["properties"];
            assert_eq!(properties["hasKubeconfig"], true);
            assert_eq!(properties["connectivityStatus"], "Connected");
            assert_eq!(properties["kubernetesVersion"], "v1.36.0");
            assert_eq!(properties["apiServer"], "https://10.0.0.1:6443");
            assert!(properties.get("kubeconfig").is_none());
            assert!(!read.text.contains("hush-hush"), "{}", read.text);
            let database = harness.stored_bytes().await;
            assert!(!database.windows(9).any(|bytes| bytes == b"hush-hush"));
            // A later write without it keeps the kubeconfig and what is known.
            let again = harness
                .put(&cluster, json!({"tags": {"a": "b"}, "properties": {}}))
                .await;
            assert_eq!(
                (again.status, &again.json()["properties"]["hasKubeconfig"]),
                (200, &json!(true))
            );
        }
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_answer_or_grants_too_little_is_not_registered() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let path = harness.cluster_path(type_name).await;
            let body = json!({"location": "onprem", "properties": {"kubeconfig": KUBECONFIG}});
            harness.clusters.set_unreachable(true);
            let answer = harness.put(&path, body.clone()).await;
            assert_eq!(
                answer.refusal(),
                (400, "UserErrorClusterUnreachable".to_owned())
            );
            harness.clusters.set_unreachable(false);
            harness
                .clusters
                .set_missing_rights(&["a rule with apiGroups: [\"\"]"]);
            let answer = harness.put(&path, body).await;
            assert_eq!(
                answer.refusal(),
                (400, "UserErrorClusterPermissionMissing".to_owned())
            );
            assert!(answer.text.contains("apiGroups"), "{}", answer.text);
            assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
        }
    }

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_used_is_refused_before_anything_is_asked() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let path = harness.cluster_path(type_name).await;
            let exec = KUBECONFIG.replace(
                "token: hush-hush",
                "exec: {command: /bin/sh, apiVersion: client.authentication.k8s.io/v1}",
            );
            for kubeconfig in ["", "not: [valid", "{}", exec.as_str()] {
                let body = json!({"location": "onprem", "properties": {"kubeconfig": kubeconfig}});
                let answer = harness.put(&path, body).await;
                assert_eq!(
                    answer.refusal(),
                    (400, "UserErrorInvalidKubeconfig".to_owned()),
                    "{kubeconfig}"
                );
            }
            let none = json!({"location": "onprem", "properties": {}});
            assert_eq!(
                harness.put(&path, none).await.refusal().1,
                "UserErrorInvalidKubeconfig"
            );
            assert_eq!(harness.anonymous("PUT", &path).await.status, 401);
        }
    }

    #[tokio::test]
    async fn another_kubeconfig_must_lead_to_the_same_cluster() {
        let harness = Harness::new().await;
        let cluster = harness.cluster(clusters::CONNECTED).await;
        let body = json!({"location": "onprem", "properties": {"kubeconfig": KUBECONFIG}});
        let again = harness.put(&cluster, body.clone()).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!(
            again.json()["properties"]["clusterUid"],
            "uid-of-kube-system"
        );
        harness.clusters.set_identity("uid-of-another");
        let refused = harness.put(&cluster, body.clone()).await;
        assert_eq!(
            refused.refusal(),
            (409, "UserErrorKubeconfigOfAnotherCluster".to_owned())
        );
        // A cluster that was registered before its uid was kept learns it now.
        let mut session = harness.app.store.begin().await.unwrap();
        let mut row = session
            .resource(&cluster.to_lowercase())
            .await
            .unwrap()
            .unwrap();
        row.body["properties"]["clusterUid"].take();
        session.put_resource(&row).await.unwrap();
        session.commit().await.unwrap();
        let answer = harness.put(&cluster, body).await;
        assert_eq!(answer.json()["properties"]["clusterUid"], "uid-of-another");
    }
}
