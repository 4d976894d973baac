//! Our custom resources: what the vault asks of the extension, and what users write for hooks.
//!
//! Contract: the types here are the only definition. The YAML in `deploy/crds/` is generated from
//! them (`STRONGROOM_UPDATE=1 cargo test -p strongroom-kubernetes crd`), never edited, and a test
//! compares the two. All schemas are structural; every string has a length limit, so that no custom
//! resource can grow towards etcd's 1.5 MiB.

pub mod backup;
pub mod backup_hook;
pub mod extension;
mod hook_scope;
pub mod job_status;
pub mod restore;
pub mod restore_hook;
mod schema;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use strongroom_core::object::ResourceType;

pub use self::backup::{Backup, BackupMode, BackupSpec};
pub use self::backup_hook::{BackupHook, BackupHookSpec};
pub use self::extension::{BackupExtension, BackupExtensionSpec, BackupExtensionStatus};
pub use self::job_status::{
    BackupPreview, JobError, JobState, JobStatus, LeftByRule, PreviewFinding, PreviewedType,
    RestoreJournal, STORAGE_LOCATION,
};
pub use self::restore::{Restore, RestoreMode, RestoreSpec};
pub use self::restore_hook::{RestoreHook, RestoreHookSpec};

/// The API group of all of them, as published for Azure Backup for AKS.
pub const GROUP: &str = "clusterbackup.dataprotection.microsoft.com";
/// Their version, as published.
pub const VERSION: &str = "v1alpha1";
/// The name of the one `BackupExtension` in the extension's namespace.
pub const EXTENSION_NAME: &str = "backup-extension";

/// The custom resources of jobs and of the extension itself: nothing in them is the user's, so they
/// go with the extension.
pub fn own_crds() -> Vec<CustomResourceDefinition> {
    [Backup::crd(), Restore::crd(), BackupExtension::crd()]
        .into_iter()
        .map(finished)
        .collect()
}

/// The custom resources that users write. Deleting their CRDs would delete the users' objects.
pub fn hook_crds() -> Vec<CustomResourceDefinition> {
    [BackupHook::crd(), RestoreHook::crd()]
        .into_iter()
        .map(finished)
        .collect()
}

/// All of them.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    own_crds().into_iter().chain(hook_crds()).collect()
}

/// The resource type of one of our kinds, for requests that are not typed.
pub fn resource_type(kind: &str, plural: &str) -> ResourceType {
    ResourceType::new(GROUP, VERSION, kind, plural, true)
}

/// Adds what the derive cannot say: whose it is.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert(
        crate::MANAGED_BY_LABEL.to_owned(),
        crate::MANAGED_BY.to_owned(),
    );
    crd
}

/// One CRD as it is checked in.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_norway::Error> {
    let header = "# Generated from crates/kubernetes/src/crd; do not edit.\n";
    serde_norway::to_string(crd).map(|text| format!("{header}{text}"))
}

#[cfg(test)]
mod tests;
