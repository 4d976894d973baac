//! The server's way into a cluster.
//!
//! Two doors, never mixed up: with the kubeconfig that was registered ([`ClusterAccess`]) the server
//! installs and removes the extension, grants and revokes Trusted Access, and asks for tokens;
//! everything that a job needs goes through the vault's Trusted Access ([`VaultAccess`]), which
//! reads and writes our custom resources and nothing else.
//!
//! [`ClusterLink`] is the seam at which tests put a cluster of their own. Its errors are already
//! [`Problem`]s, sorted by what the worker must do about them; `translate` is where they become so.

#[cfg(test)]
pub(crate) mod fake;
mod kubernetes;
mod translate;

use std::collections::BTreeMap;

use async_trait::async_trait;
use strongroom_core::error::{Code, Problem};
use strongroom_core::hooks::HookKind;
use strongroom_core::selection::HookReference;
use strongroom_kubernetes::crd::{BackupExtensionStatus, BackupSpec, JobStatus, RestoreSpec};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::kubernetes::KubernetesLink;
pub use self::translate::address_of;

/// A cluster and the credential with which it was registered.
#[derive(Clone)]
pub struct ClusterAccess {
    /// Key of the cluster's resource.
    pub key: String,
    /// The registered kubeconfig.
    pub kubeconfig: Zeroizing<String>,
}

impl std::fmt::Debug for ClusterAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterAccess")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A cluster as one vault reaches it.
#[derive(Debug, Clone)]
pub struct VaultAccess {
    /// The cluster.
    pub cluster: ClusterAccess,
    /// Id of the vault.
    pub vault_id: String,
}

/// The kinds of custom resource that ask the extension for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// A `Backup`.
    Backup,
    /// A `Backup` that only counts.
    Preview,
    /// A `Backup` that removes the volume snapshots of a recovery point.
    Forget,
    /// A `Restore`, validating or applying.
    Restore,
}

/// A custom resource that asks the extension for work.
#[derive(Debug, Clone, PartialEq)]
pub enum JobSpec {
    /// Make a recovery point, or count what it would hold.
    Backup(BackupSpec),
    /// Restore from one, or say what a restore would do.
    Restore(RestoreSpec),
}

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Container image of the extension.
    pub image: String,
    /// How long an application may stand frozen; none is the extension's own default.
    pub freeze_budget_seconds: Option<u64>,
    /// Further published settings, passed on as they are.
    pub settings: BTreeMap<String, String>,
}

/// How the extension in a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionHealth {
    /// It is not installed.
    Absent,
    /// It is being installed or started; why it is not ready yet.
    Starting(String),
    /// It works.
    Ready {
        /// The version that runs.
        version: String,
        /// What somebody should look at although it works.
        warning: Option<String>,
    },
    /// It is there and does not work; why.
    Broken(String),
}

/// What the worker can do about an error of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nobody answers, or asks to come later: try again.
    Wait,
    /// The credential or its rights are not enough: somebody must change something, and may be
    /// doing so at this moment.
    Grant,
    /// Trying again changes nothing.
    None,
}

/// Why a cluster did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct LinkError {
    /// What a user is told.
    pub problem: Problem,
    /// What the worker can do.
    pub remedy: Remedy,
}

impl LinkError {
    /// An error that trying again does not mend.
    #[must_use]
    pub fn lasting(code: Code, message: impl Into<String>) -> Self {
        Self {
            problem: Problem::new(code, message),
            remedy: Remedy::None,
        }
    }
}

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, LinkError>;

/// What the control plane asks of a cluster. Every call is bounded in time by the implementation
/// and repeats nothing: patience is the worker's.
#[async_trait]
pub trait ClusterLink: Send + Sync {
    /// The cluster's version: proof that it answers and takes the credential.
    async fn version(&self, cluster: &ClusterAccess) -> Result<String>;

    /// What tells this cluster from every other: the uid of its namespace `kube-system`, which lives as
    /// long as the cluster.
    async fn identity(&self, cluster: &ClusterAccess) -> Result<String>;

    /// What the credential lacks of the rights that protecting the cluster takes: each as the RBAC
    /// rule that grants it.
    async fn missing_rights(&self, cluster: &ClusterAccess) -> Result<Vec<String>>;

    /// Installs or updates the extension; done when its objects are written, not when it is ready.
    async fn install(&self, cluster: &ClusterAccess, installation: &Installation) -> Result<()>;
    /// How the extension is.
    async fn health(&self, cluster: &ClusterAccess) -> Result<ExtensionHealth>;
    /// What the extension lacks of its rights in the cluster, each in a sentence.
    async fn missing_extension_rights(&self, cluster: &ClusterAccess) -> Result<Vec<String>>;
    /// Gives the extension that is installed its rights.
    async fn grant_extension(&self, cluster: &ClusterAccess) -> Result<()>;
    /// Removes the extension and all that it brought.
    async fn uninstall(&self, cluster: &ClusterAccess) -> Result<()>;

    /// Grants a vault its Trusted Access. `false` when the extension, in whose namespace it lives,
    /// is not installed yet.
    async fn grant(&self, vault: &VaultAccess) -> Result<bool>;
    /// Takes it back.
    async fn revoke(&self, vault: &VaultAccess) -> Result<()>;
    /// Whether the vault has it, all of it.
    async fn is_granted(&self, vault: &VaultAccess) -> Result<bool>;

    /// Which of the named namespaces do not exist.
    async fn missing_namespaces(
        &self,
        cluster: &ClusterAccess,
        names: &[String],
    ) -> Result<Vec<String>>;

    /// What is wrong with the named hooks: those that do not exist, and those that cannot be followed.
    async fn hook_problems(
        &self,
        cluster: &ClusterAccess,
        kind: HookKind,
        hooks: &[HookReference],
    ) -> Result<Vec<Problem>>;

    /// What the extension says of itself; none when it has never run.
    async fn extension(&self, vault: &VaultAccess) -> Result<Option<BackupExtensionStatus>>;
    /// Makes the custom resource of a job. One that is there already for the same job is as good.
    async fn create(&self, vault: &VaultAccess, spec: &JobSpec) -> Result<()>;
    /// The status of a job's custom resource; none when there is no such resource.
    async fn observe(
        &self,
        vault: &VaultAccess,
        kind: JobKind,
        job: Uuid,
    ) -> Result<Option<JobStatus>>;
    /// Removes the custom resource of a job; `true` once nothing of it is left.
    async fn remove(&self, vault: &VaultAccess, kind: JobKind, job: Uuid) -> Result<bool>;
    /// The jobs whose custom resources are there.
    async fn jobs(&self, vault: &VaultAccess) -> Result<Vec<(JobKind, Uuid)>>;
}
