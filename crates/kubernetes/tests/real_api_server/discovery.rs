//! What a real API server says it serves.

use std::time::Duration;

use serde_json::json;
use strongroom_core::object::ResourceType;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd;
use strongroom_kubernetes::discovery::discover;

#[tokio::test]
async fn built_in_and_custom_types_are_found_in_their_preferred_versions() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    // A CRD is Established a moment before discovery tells of it.
    let ours = crd::resource_type("Backup", "backups");
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let found = discover(&cluster).await.unwrap();
            if found.types.contains(&ours) {
                return found;
            }
        }
    });
    let found = found.await.expect("our own kind is never discovered");
    for (group, version, kind, plural, namespaced) in [
        ("", "v1", "ConfigMap", "configmaps", true),
        ("", "v1", "Namespace", "namespaces", false),
        ("apps", "v1", "Deployment", "deployments", true),
        (
            "autoscaling",
            "v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            true,
        ),
        (
            "rbac.authorization.k8s.io",
            "v1",
            "ClusterRole",
            "clusterroles",
            false,
        ),
    ] {
        let kind = ResourceType::new(group, version, kind, plural, namespaced);
        assert!(found.types.contains(&kind), "{kind}");
    }
    let scaler = found.versions("autoscaling", "HorizontalPodAutoscaler");
    assert_eq!(scaler, ["v2", "v1"]);
    // Kinds that can only be created, as reviews and bindings, are no stored objects.
    assert!(
        !found
            .types
            .iter()
            .any(|one| one.kind == "TokenReview" || one.plural == "bindings")
    );
    let backup = found.preferred(crd::GROUP, "Backup").unwrap();
    assert_eq!(backup.subresources, ["status"]);
    assert!(backup.can("watch"));
}

#[tokio::test]
async fn an_aggregated_api_whose_server_is_down_is_told() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let kind = ResourceType::new(
        "apiregistration.k8s.io",
        "v1",
        "APIService",
        "apiservices",
        false,
    );
    let group = format!("down-{}.example.com", std::process::id());
    let name = format!("v1.{group}");
    let object = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name}, "spec": {"group": group, "version": "v1",
            "groupPriorityMinimum": 10, "versionPriority": 10, "insecureSkipTLSVerify": true,
            "service": {"namespace": "default", "name": "nobody", "port": 443}}});
    super::create(&cluster, &kind, &object).await;
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let found = discover(&cluster).await.unwrap();
            assert!(!found.types.is_empty());
            if found.broken.iter().any(|broken| broken.group == group) {
                return;
            }
        }
    });
    let told = told.await;
    let how = Propagation::Background;
    objects::delete(&cluster, &kind, None, &name, None, how)
        .await
        .unwrap();
    told.expect("nothing was said of the group whose server is down");
}
