//! The link to a real cluster.
//!
//! Clients are made once for each kubeconfig and kept, tokens of vaults are kept in memory until
//! half of their time is gone. Both are forgotten when the API server does not take them any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use strongroom_core::error::Problem;
use strongroom_core::hooks::HookKind;
use strongroom_core::limits::FREEZE_BUDGET_VARIABLE;
use strongroom_core::object::ResourceType;
use strongroom_core::selection::HookReference;
use strongroom_kubernetes::access::{self, trusted_access};
use strongroom_kubernetes::cluster::{Cluster, ClusterError, Failure, Timeouts};
use strongroom_kubernetes::crd::{BackupExtensionStatus, BackupMode, BackupSpec, JobStatus};
use strongroom_kubernetes::limits::TOKEN_LONGEST;
use strongroom_kubernetes::{EXTENSION_NAMESPACE, apply, hooks as kubernetes_hooks, install, jobs};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::translate::{link_error, not_granted, vault_error};
use super::{
    ClusterAccess, ClusterLink, ExtensionHealth, Installation, JobKind, JobSpec, Result,
    VaultAccess,
};
use crate::environment::Clock;

/// How long a connection may take to come up. Shorter than the client's own default, because the
/// worker comes back by itself and many jobs wait for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take. All of them are about single small objects.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Clusters and tokens kept in memory. Beyond it the cache is emptied: making them again costs two
/// requests each.
const MOST_CACHED: usize = 1024;

/// A vault's client and when its token is half used up.
struct Granted {
    cluster: Cluster,
    renew_at: Timestamp,
}

/// The link over real connections.
pub struct KubernetesLink {
    clock: Arc<dyn Clock>,
    clients: Mutex<HashMap<[u8; 32], Cluster>>,
    granted: Mutex<HashMap<([u8; 32], String), Granted>>,
}

impl KubernetesLink {
    /// A link that tells by `clock` when a token needs renewal.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            clients: Mutex::default(),
            granted: Mutex::default(),
        }
    }

    async fn admin(&self, access: &ClusterAccess) -> Result<Cluster> {
        let mut clients = self.clients.lock().await;
        let digest = digest(access);
        if let Some(cluster) = clients.get(&digest) {
            return Ok(cluster.clone());
        }
        let timeouts = Timeouts {
            connect: CONNECT_TIMEOUT,
            request: REQUEST_TIMEOUT,
        };
        let cluster = Cluster::from_kubeconfig(&access.kubeconfig, timeouts)
            .map_err(|e| link_error(&e))?
            .with_retries(strongroom_kubernetes::Retries::NONE);
        if clients.len() >= MOST_CACHED {
            clients.clear();
        }
        clients.insert(digest, cluster.clone());
        Ok(cluster)
    }

    async fn vault(&self, access: &VaultAccess) -> Result<Cluster> {
        let place = (digest(&access.cluster), access.vault_id.to_lowercase());
        let now = self.clock.now();
        if let Some(granted) = self.granted.lock().await.get(&place)
            && granted.renew_at > now
        {
            return Ok(granted.cluster.clone());
        }
        let admin = self.admin(&access.cluster).await?;
        let token =
            trusted_access::token(&admin, EXTENSION_NAMESPACE, &access.vault_id, TOKEN_LONGEST)
                .await
                .map_err(|e| match e.failure {
                    Failure::NotFound { .. } => not_granted(access),
                    _ => link_error(&e),
                })?;
        let renew_at = now + token.expires.duration_since(now) / 2;
        let cluster = admin
            .with_bearer_token(&token.token)
            .map_err(|e| link_error(&e))?;
        let mut granted = self.granted.lock().await;
        if granted.len() >= MOST_CACHED {
            granted.clear();
        }
        granted.insert(
            place,
            Granted {
                cluster: cluster.clone(),
                renew_at,
            },
        );
        Ok(cluster)
    }

    /// Runs `work` as the vault; when the API server does not take the token (the account was
    /// revoked and granted anew, or the cluster's keys changed), once more with a new one.
    async fn as_vault<T, F>(&self, access: &VaultAccess, work: impl Fn(Cluster) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, ClusterError>> + Send,
    {
        match work(self.vault(access).await?).await {
            Err(e) if matches!(e.failure, Failure::Unauthorized { .. }) => {
                self.forget(access).await;
                work(self.vault(access).await?)
                    .await
                    .map_err(|e| vault_error(&e, access))
            }
            other => other.map_err(|e| vault_error(&e, access)),
        }
    }

    async fn forget(&self, access: &VaultAccess) {
        let place = (digest(&access.cluster), access.vault_id.to_lowercase());
        self.granted.lock().await.remove(&place);
    }
}

#[async_trait]
impl ClusterLink for KubernetesLink {
    async fn version(&self, cluster: &ClusterAccess) -> Result<String> {
        let version = self
            .admin(cluster)
            .await?
            .version()
            .await
            .map_err(|e| link_error(&e))?;
        Ok(version.git_version)
    }

    async fn identity(&self, cluster: &ClusterAccess) -> Result<String> {
        let admin = self.admin(cluster).await?;
        let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
        let found = apply::get(&admin, &namespaces, None, "kube-system")
            .await
            .map_err(|e| link_error(&e))?;
        let uid = found
            .as_ref()
            .and_then(|namespace| namespace.pointer("/metadata/uid"))
            .and_then(serde_json::Value::as_str);
        // Every cluster has the namespace; what has none is nothing to compare with.
        Ok(uid.unwrap_or_default().to_owned())
    }

    async fn missing_rights(&self, cluster: &ClusterAccess) -> Result<Vec<String>> {
        let admin = self.admin(cluster).await?;
        let needed = install::needed_to_install(EXTENSION_NAMESPACE);
        let missing = access::review(&admin, &needed)
            .await
            .map_err(|e| link_error(&e))?;
        let rules: BTreeSet<String> = missing
            .iter()
            .map(|missing| missing.permission.to_string())
            .collect();
        Ok(rules.into_iter().collect())
    }

    async fn install(&self, cluster: &ClusterAccess, installation: &Installation) -> Result<()> {
        let admin = self.admin(cluster).await?;
        let mut settings = install::ExtensionSettings::new(&installation.image);
        if let Some(seconds) = installation.freeze_budget_seconds {
            let variable = (FREEZE_BUDGET_VARIABLE.to_owned(), seconds.to_string());
            settings.environment.extend([variable]);
        }
        install::install(&admin, &settings)
            .await
            .map_err(|e| link_error(&e))?;
        Ok(())
    }

    async fn health(&self, cluster: &ClusterAccess) -> Result<ExtensionHealth> {
        let admin = self.admin(cluster).await?;
        let state = install::status(&admin, EXTENSION_NAMESPACE, self.clock.now())
            .await
            .map_err(|e| link_error(&e))?;
        Ok(match state {
            install::ExtensionState::Absent => ExtensionHealth::Absent,
            install::ExtensionState::Progressing { why } => ExtensionHealth::Starting(why),
            install::ExtensionState::Ready {
                version, warning, ..
            } => ExtensionHealth::Ready { version, warning },
            install::ExtensionState::Broken { why } => ExtensionHealth::Broken(why),
        })
    }

    async fn missing_extension_rights(&self, cluster: &ClusterAccess) -> Result<Vec<String>> {
        let admin = self.admin(cluster).await?;
        install::rights::missing_rights(&admin)
            .await
            .map_err(|e| link_error(&e))
    }

    async fn grant_extension(&self, cluster: &ClusterAccess) -> Result<()> {
        let admin = self.admin(cluster).await?;
        install::rights::grant(&admin)
            .await
            .map_err(|e| link_error(&e))
    }

    async fn uninstall(&self, cluster: &ClusterAccess) -> Result<()> {
        let admin = self.admin(cluster).await?;
        // Hooks that users wrote are theirs, and stay.
        let options = install::UninstallOptions::default();
        install::uninstall(&admin, EXTENSION_NAMESPACE, options)
            .await
            .map_err(|e| link_error(&e))?;
        Ok(())
    }

    async fn grant(&self, vault: &VaultAccess) -> Result<bool> {
        let admin = self.admin(&vault.cluster).await?;
        match trusted_access::grant(&admin, EXTENSION_NAMESPACE, &vault.vault_id).await {
            Ok(()) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(link_error(&e)),
        }
    }

    async fn revoke(&self, vault: &VaultAccess) -> Result<()> {
        let admin = self.admin(&vault.cluster).await?;
        self.forget(vault).await;
        trusted_access::revoke(&admin, EXTENSION_NAMESPACE, &vault.vault_id)
            .await
            .map(|_| ())
            .map_err(|e| link_error(&e))
    }

    async fn is_granted(&self, vault: &VaultAccess) -> Result<bool> {
        let admin = self.admin(&vault.cluster).await?;
        trusted_access::is_granted(&admin, EXTENSION_NAMESPACE, &vault.vault_id)
            .await
            .map_err(|e| link_error(&e))
    }

    async fn missing_namespaces(
        &self,
        cluster: &ClusterAccess,
        names: &[String],
    ) -> Result<Vec<String>> {
        let admin = self.admin(cluster).await?;
        let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
        let mut missing = Vec::new();
        for name in names {
            if apply::get(&admin, &namespaces, None, name)
                .await
                .map_err(|e| link_error(&e))?
                .is_none()
            {
                missing.push(name.clone());
            }
        }
        Ok(missing)
    }

    async fn hook_problems(
        &self,
        cluster: &ClusterAccess,
        kind: HookKind,
        hooks: &[HookReference],
    ) -> Result<Vec<Problem>> {
        let admin = self.admin(cluster).await?;
        kubernetes_hooks::problems(&admin, kind, hooks)
            .await
            .map_err(|e| link_error(&e))
    }

    async fn extension(&self, vault: &VaultAccess) -> Result<Option<BackupExtensionStatus>> {
        let found = self
            .as_vault(vault, |cluster| async move {
                jobs::extension(&cluster, EXTENSION_NAMESPACE).await
            })
            .await?;
        Ok(found.and_then(|extension| extension.status))
    }

    async fn create(&self, vault: &VaultAccess, spec: &JobSpec) -> Result<()> {
        self.as_vault(vault, |cluster| async move {
            match spec {
                JobSpec::Backup(spec) => jobs::create_backup(&cluster, EXTENSION_NAMESPACE, spec)
                    .await
                    .map(|_| ()),
                JobSpec::Restore(spec) => jobs::create_restore(&cluster, EXTENSION_NAMESPACE, spec)
                    .await
                    .map(|_| ()),
            }
        })
        .await
    }

    async fn observe(
        &self,
        vault: &VaultAccess,
        kind: JobKind,
        job: Uuid,
    ) -> Result<Option<JobStatus>> {
        self.as_vault(vault, |cluster| async move {
            Ok(match kind {
                JobKind::Backup => jobs::get_backup(&cluster, EXTENSION_NAMESPACE, job)
                    .await?
                    .map(|found| found.status.unwrap_or_default()),
                JobKind::Preview => jobs::get_preview(&cluster, EXTENSION_NAMESPACE, job)
                    .await?
                    .map(|found| found.status.unwrap_or_default()),
                JobKind::Forget => jobs::get_forget(&cluster, EXTENSION_NAMESPACE, job)
                    .await?
                    .map(|found| found.status.unwrap_or_default()),
                JobKind::Restore => jobs::get_restore(&cluster, EXTENSION_NAMESPACE, job)
                    .await?
                    .map(|found| found.status.unwrap_or_default()),
            })
        })
        .await
    }

    async fn remove(&self, vault: &VaultAccess, kind: JobKind, job: Uuid) -> Result<bool> {
        self.as_vault(vault, |cluster| async move {
            let was_there = match kind {
                JobKind::Backup => jobs::delete_backup(&cluster, EXTENSION_NAMESPACE, job).await?,
                JobKind::Preview => {
                    jobs::delete_preview(&cluster, EXTENSION_NAMESPACE, job).await?
                }
                JobKind::Forget => jobs::delete_forget(&cluster, EXTENSION_NAMESPACE, job).await?,
                JobKind::Restore => {
                    jobs::delete_restore(&cluster, EXTENSION_NAMESPACE, job).await?
                }
            };
            Ok(!was_there)
        })
        .await
    }

    async fn jobs(&self, vault: &VaultAccess) -> Result<Vec<(JobKind, Uuid)>> {
        self.as_vault(vault, |cluster| async move {
            let backups = jobs::list_backups(&cluster, EXTENSION_NAMESPACE).await?;
            let restores = jobs::list_restores(&cluster, EXTENSION_NAMESPACE).await?;
            let backups = backups
                .into_iter()
                .map(|found| (kind_of(&found.spec), found.spec.job_id));
            Ok(backups
                .chain(
                    restores
                        .into_iter()
                        .map(|r| (JobKind::Restore, r.spec.job_id)),
                )
                .collect())
        })
        .await
    }
}

fn kind_of(spec: &BackupSpec) -> JobKind {
    match spec.mode {
        BackupMode::Backup => JobKind::Backup,
        BackupMode::Preview => JobKind::Preview,
        BackupMode::Forget => JobKind::Forget,
    }
}

/// Tells credentials apart without keeping them.
fn digest(access: &ClusterAccess) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(access.key.as_bytes());
    context.update(&[0]);
    context.update(access.kubeconfig.as_bytes());
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn another_kubeconfig_is_another_client() {
        let access = |text: &str| ClusterAccess {
            key: "/c".into(),
            kubeconfig: text.to_owned().into(),
        };
        assert_eq!(digest(&access("a")), digest(&access("a")));
        assert_ne!(digest(&access("a")), digest(&access("b")));
        assert!(!format!("{:?}", access("hush")).contains("hush"));
    }

    #[test]
    fn a_token_is_renewed_when_half_of_it_is_gone() {
        let now = Timestamp::UNIX_EPOCH;
        let expires = now + SignedDuration::from_hours(1);
        assert_eq!(
            now + expires.duration_since(now) / 2,
            now + SignedDuration::from_mins(30)
        );
    }
}
