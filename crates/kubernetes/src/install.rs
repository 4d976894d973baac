//! The backup extension as a cluster sees it: installed, watched, removed.
//!
//! Contract: [`install`] can be repeated and brings an older installation to this version.
//! [`status`] says in words why the extension does not work, from what the cluster knows of it.
//! [`uninstall`] leaves nothing of ours behind, and nothing of the user's removed: the CRDs of hooks
//! stay unless asked for, as deleting a CRD deletes the users' objects of it.

mod manifests;
pub mod rights;
mod rules;
mod status;
mod uninstall;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use strongroom_core::object::ResourceType;

pub use self::manifests::manifests;
pub use self::rules::{CLUSTER_RULES, NAMESPACE_RULES, needed_to_install};
pub use self::status::{ExtensionState, status};
pub use self::uninstall::{UninstallOptions, Uninstalled, uninstall};
use crate::access::trusted_access;
use crate::apply;
use crate::cluster::{Cluster, ClusterError};
use crate::{EXTENSION_NAMESPACE, FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};

/// The name of the extension's Deployment, service account, role and binding.
pub const NAME: &str = "backup-extension";
/// The name of its ClusterRole and ClusterRoleBinding, which are named for the whole cluster.
pub const CLUSTER_NAME: &str = "strongroom-backup-extension";
/// The Secret with its private key, made by itself.
pub const KEY_SECRET: &str = "backup-extension-key";
/// Where its probes are answered.
pub const PROBE_PORT: u16 = 8081;

/// How the extension is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSettings {
    /// The container image, with a tag or digest that does not move.
    pub image: String,
    /// Where it lives.
    pub namespace: String,
    /// Its log filter, as in `info` or `strongroom=debug,info`.
    pub log_level: String,
    /// More environment variables, as for a proxy.
    pub environment: BTreeMap<String, String>,
    /// Secrets of the namespace with which the image is pulled.
    pub image_pull_secrets: Vec<String>,
}

impl ExtensionSettings {
    /// The defaults with an image.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            namespace: EXTENSION_NAMESPACE.to_owned(),
            log_level: "info".to_owned(),
            environment: BTreeMap::new(),
            image_pull_secrets: Vec::new(),
        }
    }
}

/// How long a CRD may take to be established and a namespace to be active: both take well under a
/// second on a healthy cluster.
const SETTLE: Duration = Duration::from_secs(30);

/// Installs the extension or brings it to these settings. Returns when everything is in place; the
/// pod starts after that, see [`status`].
pub async fn install(cluster: &Cluster, settings: &ExtensionSettings) -> Result<(), ClusterError> {
    let foreign = is_foreign_namespace(cluster, &settings.namespace).await?;
    for object in manifests(settings) {
        let kind = kind_of(&object);
        if kind.kind == "Namespace" && foreign {
            // The user made it; its labels are the user's, and it stays when we go.
            continue;
        }
        apply::patch_apply(cluster, &kind, &object, FIELD_MANAGER, true).await?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match kind.kind.as_str() {
            "Namespace" => apply::wait_namespace_active(cluster, name, SETTLE).await?,
            "CustomResourceDefinition" => apply::wait_established(cluster, name, SETTLE).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether the namespace is there and not ours.
async fn is_foreign_namespace(cluster: &Cluster, name: &str) -> Result<bool, ClusterError> {
    let kind = core_type("Namespace", "namespaces", false);
    let there = apply::get(cluster, &kind, None, name).await?;
    Ok(there.is_some_and(|object| !is_ours(&object)))
}

/// Whether an object carries our label.
fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGED_BY
}

fn core_type(kind: &str, plural: &str, namespaced: bool) -> ResourceType {
    ResourceType::new("", "v1", kind, plural, namespaced)
}

fn deployments() -> ResourceType {
    ResourceType::new("apps", "v1", "Deployment", "deployments", true)
}

fn crds() -> ResourceType {
    ResourceType::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    )
}

/// The type of one of our own manifests. Their kinds are known, so no discovery is needed.
fn kind_of(object: &Value) -> ResourceType {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = object["kind"].as_str().unwrap_or_default();
    let namespaced = object["metadata"]["namespace"].is_string();
    ResourceType::new(
        group,
        version,
        kind,
        &format!("{}s", kind.to_lowercase()),
        namespaced,
    )
}

/// Every service account of Trusted Access in the namespace, of whatever vault.
fn trusted_access_selector() -> String {
    format!("{}=true", trusted_access::LABEL)
}

#[cfg(test)]
mod tests;
