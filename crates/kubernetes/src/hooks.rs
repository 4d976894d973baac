//! Reads the hooks that a backup or a restore names.
//!
//! Contract: one that does not exist, or cannot be followed, is a [`Problem`] and no error: whoever asks
//! decides whether it is a finding or the end of a job.

use serde::de::DeserializeOwned;
use strongroom_core::hooks::{BackupHook, HookKind};
use strongroom_core::restore::hooks::RestoreHook;
use strongroom_core::selection::HookReference;
use strongroom_core::{Code, Problem};

use crate::cluster::{Cluster, ClusterError};
use crate::{apply, crd};

/// The hooks of a `BackupHook`, in their order.
///
/// # Errors
/// When the API server does not answer or does not let us.
pub async fn of_backup(
    cluster: &Cluster,
    reference: &HookReference,
) -> Result<Result<Vec<BackupHook>, Problem>, ClusterError> {
    let read = read::<crd::BackupHook>(cluster, HookKind::Backup, reference).await?;
    Ok(read.and_then(|hook| hook.understand()))
}

/// The hooks of a `RestoreHook`, in their order.
///
/// # Errors
/// When the API server does not answer or does not let us.
pub async fn of_restore(
    cluster: &Cluster,
    reference: &HookReference,
) -> Result<Result<Vec<RestoreHook>, Problem>, ClusterError> {
    let read = read::<crd::RestoreHook>(cluster, HookKind::Restore, reference).await?;
    Ok(read.and_then(|hook| hook.understand()))
}

/// What is wrong with hooks: with those that do not exist, and those that cannot be followed.
///
/// # Errors
/// When the API server does not answer or does not let us.
pub async fn problems(
    cluster: &Cluster,
    kind: HookKind,
    references: &[HookReference],
) -> Result<Vec<Problem>, ClusterError> {
    let mut problems = Vec::new();
    for reference in references {
        let problem = match kind {
            HookKind::Backup => of_backup(cluster, reference).await?.err(),
            HookKind::Restore => of_restore(cluster, reference).await?.err(),
        };
        problems.extend(problem);
    }
    Ok(problems)
}

async fn read<H: DeserializeOwned>(
    cluster: &Cluster,
    of: HookKind,
    reference: &HookReference,
) -> Result<Result<H, Problem>, ClusterError> {
    let (kind, plural) = of.resource();
    let resource = crd::resource_type(kind, plural);
    let namespace = Some(reference.namespace.as_str());
    let found = apply::get(cluster, &resource, namespace, &reference.name).await?;
    let refuse = |code: Code, message: String| Problem::new(code, message).at(of.field());
    let Some(found) = found else {
        let message = format!("{kind} {reference} does not exist");
        return Ok(Err(refuse(of.not_found(), message)));
    };
    Ok(serde_json::from_value(found).map_err(|error| {
        let message = format!("{kind} {reference} is not understood: {error}");
        refuse(of.invalid(), message)
    }))
}
