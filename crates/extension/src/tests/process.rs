//! What a process does besides jobs: its key and what it publishes.

use std::sync::Arc;

use serde_json::json;
use strongroom_kubernetes::EXTENSION_NAMESPACE;
use strongroom_repository::SystemEntropy;

use super::stage::Stage;
use crate::crash::CrashPoints;
use crate::key::{self, KeyError, SECRET_NAME};
use crate::publication::Publication;

#[tokio::test]
async fn the_key_is_made_once_and_found_again_by_the_next_process() {
    let stage = Stage::new().await;
    let cluster = stage.cluster();
    let load = || key::load_or_create(&cluster, EXTENSION_NAMESPACE, &SystemEntropy);
    let first = load().await.unwrap().public_key_base64();
    assert_eq!(load().await.unwrap().public_key_base64(), first);
}

#[tokio::test]
async fn a_secret_without_a_key_is_not_replaced() {
    let stage = Stage::new().await;
    stage.api.create(&json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": SECRET_NAME, "namespace": EXTENSION_NAMESPACE}, "data": {"x25519": "AAAA"}}));
    let loaded = key::load_or_create(&stage.cluster(), EXTENSION_NAMESPACE, &SystemEntropy).await;
    assert!(matches!(loaded, Err(KeyError::Unusable(_))), "{loaded:?}");
}

#[tokio::test]
async fn the_extension_publishes_its_key_and_says_when_it_goes() {
    let stage = Stage::new().await;
    let environment = stage.environment(CrashPoints::none());
    let publication = Publication::new(Arc::clone(&environment), "1.2.3".to_owned());
    let status = || {
        let kind = "backupextensions.clusterbackup.dataprotection.microsoft.com";
        stage
            .api
            .get(kind, Some(EXTENSION_NAMESPACE), "backup-extension")
            .unwrap()["status"]
            .clone()
    };
    publication.publish(true).await.unwrap();
    assert_eq!(status()["ready"], true);
    assert_eq!(status()["version"], "1.2.3");
    assert_eq!(status()["publicKey"], environment.keys.public_key_base64());
    publication.publish(false).await.unwrap();
    assert_eq!(status()["ready"], false);
}
