//! Removing the extension: everything of ours, nothing of the user's.

use std::time::Duration;

use serde_json::Value;
use strongroom_core::object::ResourceType;

use super::{
    CLUSTER_NAME, KEY_SECRET, NAME, core_type, crds, deployments, is_ours, trusted_access_selector,
};
use crate::apply::{self, Propagation};
use crate::cluster::{Cluster, ClusterError, path_of};
use crate::crd;
use crate::snapshots;

/// What is to be removed beyond the extension itself, and how long to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UninstallOptions {
    /// Also the CRDs of BackupHook and RestoreHook, and with them every hook that users wrote, in
    /// every namespace.
    pub hooks: bool,
    /// How long to wait for pods, custom resources and the namespace to be gone.
    pub wait: Duration,
}

impl Default for UninstallOptions {
    fn default() -> Self {
        Self {
            hooks: false,
            wait: Duration::from_secs(120),
        }
    }
}

/// What stayed behind on purpose, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uninstalled {
    /// Each thing that was kept, with the reason.
    pub kept: Vec<String>,
}

/// Removes the extension, every vault's Trusted Access, the jobs' custom resources and their CRDs,
/// and the namespace when we made it and no hook of a user lives in it. Can be repeated.
pub async fn uninstall(
    cluster: &Cluster,
    namespace: &str,
    options: UninstallOptions,
) -> Result<Uninstalled, ClusterError> {
    let mut outcome = Uninstalled::default();
    // The process first, its pod included: it must not work on while its rights are taken away.
    let (kind, how) = (deployments(), Propagation::Foreground);
    apply::delete(cluster, &kind, Some(namespace), NAME, None, how).await?;
    apply::wait_gone(cluster, &kind, Some(namespace), NAME, options.wait).await?;
    for class in snapshots::list_made(cluster, namespace).await? {
        snapshots::remove_class(cluster, &class).await?;
    }
    for kind in ["ClusterRoleBinding", "ClusterRole"] {
        remove(cluster, &rbac(kind, false), None, CLUSTER_NAME).await?;
    }
    let own = crd::own_crds();
    let hooks = crd::hook_crds();
    let hooks_in_namespace = hooks_in(cluster, namespace).await?;
    let removed = own.iter().chain(hooks.iter().filter(|_| options.hooks));
    let names: Vec<&str> = removed
        .filter_map(|one| one.metadata.name.as_deref())
        .collect();
    for name in &names {
        remove(cluster, &crds(), None, name).await?;
    }
    for name in &names {
        apply::wait_gone(cluster, &crds(), None, name, options.wait).await?;
    }
    if !options.hooks {
        let kept = hooks.iter().filter_map(|one| one.metadata.name.as_deref());
        outcome.kept.extend(kept.map(|name| {
            format!("CustomResourceDefinition {name}: deleting it would delete the users' hooks")
        }));
    }
    remove_namespace(
        cluster,
        namespace,
        options,
        hooks_in_namespace,
        &mut outcome,
    )
    .await?;
    Ok(outcome)
}

async fn remove_namespace(
    cluster: &Cluster,
    namespace: &str,
    options: UninstallOptions,
    hooks_in_namespace: usize,
    outcome: &mut Uninstalled,
) -> Result<(), ClusterError> {
    let kind = core_type("Namespace", "namespaces", false);
    let Some(object) = apply::get(cluster, &kind, None, namespace).await? else {
        return Ok(());
    };
    let holds_hooks = hooks_in_namespace > 0 && !options.hooks;
    if is_ours(&object) && !holds_hooks {
        remove(cluster, &kind, None, namespace).await?;
        return apply::wait_gone(cluster, &kind, None, namespace, options.wait).await;
    }
    remove_parts(cluster, namespace).await?;
    outcome.kept.push(if holds_hooks {
        format!("Namespace {namespace}: it holds {hooks_in_namespace} hooks that users wrote")
    } else {
        format!("Namespace {namespace}: it was there before the extension")
    });
    Ok(())
}

/// What is ours in a namespace that stays.
async fn remove_parts(cluster: &Cluster, namespace: &str) -> Result<(), ClusterError> {
    for kind in [
        rbac("RoleBinding", true),
        rbac("Role", true),
        service_accounts(),
    ] {
        let selector = trusted_access_selector();
        for name in names(cluster, &kind, namespace, Some(&selector)).await? {
            remove(cluster, &kind, Some(namespace), &name).await?;
        }
        remove(cluster, &kind, Some(namespace), NAME).await?;
    }
    remove(
        cluster,
        &core_type("Secret", "secrets", true),
        Some(namespace),
        KEY_SECRET,
    )
    .await
}

/// How many hooks of users live in the namespace.
async fn hooks_in(cluster: &Cluster, namespace: &str) -> Result<usize, ClusterError> {
    let mut count = 0;
    for (kind, plural) in [
        ("BackupHook", "backuphooks"),
        ("RestoreHook", "restorehooks"),
    ] {
        count += names(cluster, &crd::resource_type(kind, plural), namespace, None)
            .await?
            .len();
    }
    Ok(count)
}

/// The names of a type's objects, the first 500 of them; none when the type is not there.
async fn names(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: &str,
    selector: Option<&str>,
) -> Result<Vec<String>, ClusterError> {
    let mut path = format!("{}?limit=500", path_of(kind, Some(namespace), None));
    if let Some(selector) = selector {
        path.push_str(&format!(
            "&labelSelector={}",
            crate::cluster::segment(selector)
        ));
    }
    let doing = format!("list {kind} in namespace {namespace}");
    let answer: Value = match cluster.get_json(&path, &doing).await {
        Ok(answer) => answer,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let names = items
        .iter()
        .filter_map(|item| item["metadata"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

async fn remove(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
) -> Result<(), ClusterError> {
    apply::delete(
        cluster,
        kind,
        namespace,
        name,
        None,
        Propagation::Background,
    )
    .await
    .map(|_| ())
}

fn service_accounts() -> ResourceType {
    core_type("ServiceAccount", "serviceaccounts", true)
}

fn rbac(kind: &str, namespaced: bool) -> ResourceType {
    let plural = format!("{}s", kind.to_lowercase());
    ResourceType::new("rbac.authorization.k8s.io", "v1", kind, &plural, namespaced)
}
