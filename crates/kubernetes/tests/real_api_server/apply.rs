//! Single objects on a real API server.

use std::time::Duration;

use serde_json::json;
use strongroom_kubernetes::apply::{
    Created, Propagation, create, delete, get, patch_apply, patch_merge, wait_gone,
    wait_namespace_active,
};
use strongroom_kubernetes::{FIELD_MANAGER, Failure};

#[tokio::test]
async fn an_object_is_made_changed_and_removed() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let namespace = super::namespace(&cluster, "apply").await;
    let kind = super::config_maps();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": namespace}, "data": {"k": "1"}});
    let made = super::create(&cluster, &kind, &object).await;
    assert_eq!(
        create(&cluster, &kind, &object).await.unwrap(),
        Created::AlreadyExists
    );

    let other = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": namespace}, "data": {"k": "2"}});
    let conflict = patch_apply(&cluster, &kind, &other, "somebody-else", false)
        .await
        .unwrap_err();
    assert!(
        matches!(conflict.failure, Failure::Conflict { .. }),
        "{conflict}"
    );
    let taken = patch_apply(&cluster, &kind, &other, FIELD_MANAGER, true)
        .await
        .unwrap();
    assert_eq!(taken.object["data"]["k"], "2");
    let equal = patch_apply(&cluster, &kind, &other, FIELD_MANAGER, true)
        .await
        .unwrap();
    let version = |object: &serde_json::Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(
        version(&equal.object),
        version(&taken.object),
        "an equal apply writes nothing"
    );

    let changes = json!({"data": {"more": "3"}});
    let merged = patch_merge(&cluster, &kind, Some(&namespace), "a", &changes)
        .await
        .unwrap();
    assert_eq!(merged.object["data"], json!({"k": "2", "more": "3"}));
    let how = Propagation::Background;
    let strange = Some("00000000-0000-0000-0000-000000000000");
    let error = delete(&cluster, &kind, Some(&namespace), "a", strange, how)
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Conflict { .. }), "{error}");
    let uid = made["metadata"]["uid"].as_str();
    assert!(
        delete(&cluster, &kind, Some(&namespace), "a", uid, how)
            .await
            .unwrap()
    );
    assert!(
        !delete(&cluster, &kind, Some(&namespace), "a", uid, how)
            .await
            .unwrap()
    );
    assert_eq!(
        get(&cluster, &kind, Some(&namespace), "a").await.unwrap(),
        None
    );
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn what_an_object_lacks_is_told_field_by_field_and_unknown_fields_are_warned_of() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let namespace = super::namespace(&cluster, "invalid").await;
    let kind = super::core("Service", "services", true);
    let service = |ports: serde_json::Value| {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "s", "namespace": namespace}, "spec": {"ports": ports}})
    };
    let error = create(&cluster, &kind, &service(json!([{"port": 0}])))
        .await
        .unwrap_err();
    let Failure::Invalid { causes, .. } = &error.failure else {
        panic!("{error}")
    };
    assert_eq!(causes[0].field, "spec.ports[0].port");

    let odd = service(json!([{"port": 80, "odd": 1}]));
    let Created::New(written) = create(&cluster, &kind, &odd).await.unwrap() else {
        panic!("it was there")
    };
    assert!(
        written.warnings.iter().any(|text| text.contains("odd")),
        "{:?}",
        written.warnings
    );
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_namespace_that_goes_takes_nothing_new() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let namespace = super::namespace(&cluster, "going").await;
    let kind = super::config_maps();
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held",
        "namespace": namespace, "finalizers": ["example.com/hold"]}});
    super::create(&cluster, &kind, &held).await;
    super::remove_namespace(&cluster, &namespace).await;
    let limit = Duration::from_secs(30);
    let waited = wait_namespace_active(&cluster, &namespace, limit)
        .await
        .unwrap_err();
    assert!(
        matches!(waited.failure, Failure::NamespaceTerminating { .. }),
        "{waited}"
    );
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "new", "namespace": namespace}});
    let error = create(&cluster, &kind, &object).await.unwrap_err();
    assert!(
        matches!(error.failure, Failure::NamespaceTerminating { .. }),
        "{error:?}"
    );
    let none = json!({"metadata": {"finalizers": null}});
    patch_merge(&cluster, &kind, Some(&namespace), "held", &none)
        .await
        .unwrap();
    let namespaces = super::core("Namespace", "namespaces", false);
    wait_gone(
        &cluster,
        &namespaces,
        None,
        &namespace,
        Duration::from_secs(60),
    )
    .await
    .unwrap();
}
