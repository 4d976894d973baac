//! The extension installed into a cluster without nodes, and removed without a trace.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_kubernetes::access::trusted_access;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::install::{
    CLUSTER_NAME, ExtensionSettings, ExtensionState, UninstallOptions, install, status, uninstall,
};
use strongroom_kubernetes::{Cluster, Failure, crd, jobs};

async fn is_there(cluster: &Cluster, kind: &ResourceType, name: &str) -> bool {
    objects::get(cluster, kind, None, name)
        .await
        .unwrap()
        .is_some()
}

/// Looks until the state is as wished, and returns it.
async fn state_when(
    cluster: &Cluster,
    namespace: &str,
    wished: impl Fn(&ExtensionState) -> bool,
) -> ExtensionState {
    let now = Timestamp::UNIX_EPOCH;
    let mut last = None;
    let looking = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let state = status(cluster, namespace, now).await.unwrap();
            if wished(&state) {
                return state;
            }
            last = Some(state);
        }
    });
    let outcome = looking.await;
    outcome.unwrap_or_else(|_| panic!("it stays {last:?}"))
}

/// A cluster with the credential that the extension's pod has.
async fn as_the_extension(admin: &Cluster, namespace: &str) -> Cluster {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/backup-extension/token");
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 600}});
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    let answer: Value = serde_json::from_slice(&admin.raw(request).await.unwrap()).unwrap();
    admin
        .with_bearer_token(answer["status"]["token"].as_str().unwrap())
        .unwrap()
}

/// Restoring roles that grant more than the extension has, writing a custom resource's status, and
/// not deleting: as its role says.
async fn the_extension_can_do_what_its_work_takes(admin: &Cluster, namespace: &str) {
    let extension = as_the_extension(admin, namespace).await;
    let group = "rbac.authorization.k8s.io";
    let name = format!("sr-restored-{}", std::process::id());
    let powerful = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    let roles = ResourceType::new(group, "v1", "ClusterRole", "clusterroles", false);
    super::create(&extension, &roles, &powerful).await;
    let bindings = ResourceType::new(
        group,
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    );
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": name}, "subjects": [],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"}});
    super::create(&extension, &bindings, &binding).await;

    let kind = crd::resource_type("BackupExtension", "backupextensions");
    let own = json!({"apiVersion": kind.api_version(), "kind": "BackupExtension",
        "metadata": {"name": crd::EXTENSION_NAME, "namespace": namespace}, "spec": {}});
    super::create(&extension, &kind, &own).await;
    let told = json!({"version": "0.1.0", "publicKey": "a2V5", "ready": true});
    objects::patch_status(
        &extension,
        &kind,
        Some(namespace),
        crd::EXTENSION_NAME,
        &told,
    )
    .await
    .unwrap();
    let read = jobs::extension(&extension, namespace)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.status.unwrap().public_key, "a2V5");

    let how = Propagation::Background;
    let refused = objects::delete(&extension, &roles, None, &name, None, how)
        .await
        .unwrap_err();
    assert!(
        matches!(refused.failure, Failure::Forbidden { .. }),
        "{refused}"
    );
    objects::delete(admin, &bindings, None, &name, None, how)
        .await
        .unwrap();
    objects::delete(admin, &roles, None, &name, None, how)
        .await
        .unwrap();
}

#[tokio::test]
async fn it_is_installed_twice_watched_and_removed_without_a_trace() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let _alone = super::CRDS.write().await;
    let namespace = format!("sr-install-{}", std::process::id());
    let settings = ExtensionSettings {
        namespace: namespace.clone(),
        ..ExtensionSettings::new("strongroom.local/strongroom:test")
    };
    assert_eq!(
        status(&cluster, &namespace, Timestamp::UNIX_EPOCH)
            .await
            .unwrap(),
        ExtensionState::Absent
    );
    install(&cluster, &settings).await.unwrap();
    install(&cluster, &settings).await.unwrap();
    trusted_access::grant(&cluster, &namespace, "/subscriptions/s/vault")
        .await
        .unwrap();
    let roles = ResourceType::new(
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        false,
    );
    assert!(is_there(&cluster, &roles, CLUSTER_NAME).await);
    the_extension_can_do_what_its_work_takes(&cluster, &namespace).await;
    // The pod passes the restricted standard, or the controller could not make it.
    let state = state_when(
        &cluster,
        &namespace,
        |state| matches!(state, ExtensionState::Progressing { why } if why.contains("starting") || why.contains("no node")),
    );
    state.await;

    let outcome = uninstall(&cluster, &namespace, UninstallOptions::default())
        .await
        .unwrap();
    assert_eq!(outcome.kept.len(), 2, "{:?}", outcome.kept);
    let namespaces = super::core("Namespace", "namespaces", false);
    assert!(!is_there(&cluster, &namespaces, &namespace).await);
    assert!(!is_there(&cluster, &roles, CLUSTER_NAME).await);
    for one in crd::own_crds() {
        assert!(!is_there(&cluster, &super::crd_type(), &one.metadata.name.unwrap()).await);
    }
    for one in crd::hook_crds() {
        assert!(is_there(&cluster, &super::crd_type(), &one.metadata.name.unwrap()).await);
    }
    let everything = UninstallOptions {
        hooks: true,
        ..UninstallOptions::default()
    };
    let outcome = uninstall(&cluster, &namespace, everything).await.unwrap();
    assert!(outcome.kept.is_empty());
    for one in crd::all_crds() {
        assert!(!is_there(&cluster, &super::crd_type(), &one.metadata.name.unwrap()).await);
    }
}

#[tokio::test]
async fn a_users_namespace_with_hooks_and_a_quota_stays_the_users() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let _alone = super::CRDS.write().await;
    let namespace = super::namespace(&cluster, "users").await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": namespace}, "spec": {"hard": {"pods": "0"}}});
    super::create(
        &cluster,
        &super::core("ResourceQuota", "resourcequotas", true),
        &quota,
    )
    .await;
    let settings = ExtensionSettings {
        namespace: namespace.clone(),
        ..ExtensionSettings::new("strongroom.local/strongroom:test")
    };
    install(&cluster, &settings).await.unwrap();
    let state = state_when(&cluster, &namespace, |state| {
        matches!(state, ExtensionState::Broken { .. })
    });
    let ExtensionState::Broken { why } = state.await else {
        unreachable!()
    };
    assert!(why.contains("exceeded quota: none"), "{why}");

    let kind = crd::resource_type("BackupHook", "backuphooks");
    let hook = json!({"apiVersion": kind.api_version(), "kind": "BackupHook",
        "metadata": {"name": "mine", "namespace": namespace}, "spec": {"name": "mine"}});
    super::create(&cluster, &kind, &hook).await;
    let outcome = uninstall(&cluster, &namespace, UninstallOptions::default())
        .await
        .unwrap();
    assert!(
        outcome
            .kept
            .iter()
            .any(|one| one.contains("1 hooks that users wrote")),
        "{outcome:?}"
    );
    let hooks = objects::get(&cluster, &kind, Some(&namespace), "mine")
        .await
        .unwrap();
    assert!(hooks.is_some());
    let accounts = super::core("ServiceAccount", "serviceaccounts", true);
    let own = objects::get(&cluster, &accounts, Some(&namespace), "backup-extension")
        .await
        .unwrap();
    assert_eq!(own, None);
    super::remove_namespace(&cluster, &namespace).await;
}
