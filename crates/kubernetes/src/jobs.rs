//! The vault's side of jobs: making, reading and removing the custom resources that ask the extension
//! for work. All of it works with a vault's Trusted Access credential and needs nothing more.
//!
//! Contract: a custom resource's name follows from its job's id, so making it twice is making it
//! once, and an orphan is found by its name.

use futures::TryStreamExt as _;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use uuid::Uuid;

use crate::apply::{self, Created, Propagation};
use crate::cluster::{Cluster, ClusterError, Failure, path_of};
use crate::collect::Collector;
use crate::crd::{
    self, Backup, BackupExtension, BackupMode, BackupSpec, EXTENSION_NAME, Restore, RestoreSpec,
};
use crate::{MANAGED_BY, MANAGED_BY_LABEL};

/// The name of a job's Backup.
pub fn backup_name(job_id: Uuid) -> String {
    format!("backup-{job_id}")
}

/// The name of a preview's Backup. Another one than that of a job, so that the extension can tell them
/// apart before it reads them: a preview need not wait for a backup.
pub fn preview_name(id: Uuid) -> String {
    format!("{PREVIEW_PREFIX}{id}")
}

/// Whether a Backup of this name is a preview.
pub fn is_preview(name: &str) -> bool {
    name.starts_with(PREVIEW_PREFIX)
}

/// The name of the Backup that removes the volume snapshots of a recovery point. Another one than that of a
/// backup, so that the extension need not let it wait for one.
pub fn forget_name(id: Uuid) -> String {
    format!("{FORGET_PREFIX}{id}")
}

/// Whether a Backup of this name removes volume snapshots.
pub fn is_forget(name: &str) -> bool {
    name.starts_with(FORGET_PREFIX)
}

/// What names of those begin with.
const FORGET_PREFIX: &str = "forget-";

/// What names of previews begin with.
const PREVIEW_PREFIX: &str = "preview-";

/// The name of a job's Restore.
pub fn restore_name(job_id: Uuid) -> String {
    format!("restore-{job_id}")
}

/// The type `backups`.
pub fn backups() -> ResourceType {
    crd::resource_type("Backup", "backups")
}

/// The type `restores`.
pub fn restores() -> ResourceType {
    crd::resource_type("Restore", "restores")
}

/// The type `backupextensions`.
pub fn extensions() -> ResourceType {
    crd::resource_type("BackupExtension", "backupextensions")
}

/// Makes a job's Backup. One that is there for the same job is the answer, whatever its sealed
/// secrets: sealing twice never gives the same bytes.
pub async fn create_backup(
    cluster: &Cluster,
    namespace: &str,
    spec: &BackupSpec,
) -> Result<Backup, ClusterError> {
    let name = match spec.mode {
        BackupMode::Backup => backup_name(spec.job_id),
        BackupMode::Preview => preview_name(spec.job_id),
        BackupMode::Forget => forget_name(spec.job_id),
    };
    let made: Backup = create(cluster, &backups(), namespace, &name, spec).await?;
    let same = made.spec.job_id == spec.job_id
        && made.spec.recovery_point_id == spec.recovery_point_id
        && made.spec.backup_instance_id == spec.backup_instance_id;
    same.then_some(made)
        .ok_or_else(|| another_job(&backups(), namespace, &name))
}

/// Makes a job's Restore; see [`create_backup`].
pub async fn create_restore(
    cluster: &Cluster,
    namespace: &str,
    spec: &RestoreSpec,
) -> Result<Restore, ClusterError> {
    let name = restore_name(spec.job_id);
    let made: Restore = create(cluster, &restores(), namespace, &name, spec).await?;
    let same = made.spec.job_id == spec.job_id
        && made.spec.recovery_point_id == spec.recovery_point_id
        && made.spec.backup_instance_id == spec.backup_instance_id
        && made.spec.mode == spec.mode;
    same.then_some(made)
        .ok_or_else(|| another_job(&restores(), namespace, &name))
}

/// A job's Backup, when it is there.
pub async fn get_backup(
    cluster: &Cluster,
    namespace: &str,
    job_id: Uuid,
) -> Result<Option<Backup>, ClusterError> {
    read(cluster, &backups(), namespace, &backup_name(job_id)).await
}

/// A preview's Backup, when it is there.
pub async fn get_preview(
    cluster: &Cluster,
    namespace: &str,
    id: Uuid,
) -> Result<Option<Backup>, ClusterError> {
    read(cluster, &backups(), namespace, &preview_name(id)).await
}

/// The Backup that removes volume snapshots, when it is there.
pub async fn get_forget(
    cluster: &Cluster,
    namespace: &str,
    id: Uuid,
) -> Result<Option<Backup>, ClusterError> {
    read(cluster, &backups(), namespace, &forget_name(id)).await
}

/// A job's Restore, when it is there.
pub async fn get_restore(
    cluster: &Cluster,
    namespace: &str,
    job_id: Uuid,
) -> Result<Option<Restore>, ClusterError> {
    read(cluster, &restores(), namespace, &restore_name(job_id)).await
}

/// Removes a job's Backup; whether it was there.
pub async fn delete_backup(
    cluster: &Cluster,
    namespace: &str,
    job_id: Uuid,
) -> Result<bool, ClusterError> {
    let name = backup_name(job_id);
    let how = Propagation::Background;
    apply::delete(cluster, &backups(), Some(namespace), &name, None, how).await
}

/// Removes a preview's Backup; whether it was there.
pub async fn delete_preview(
    cluster: &Cluster,
    namespace: &str,
    id: Uuid,
) -> Result<bool, ClusterError> {
    let name = preview_name(id);
    let how = Propagation::Background;
    apply::delete(cluster, &backups(), Some(namespace), &name, None, how).await
}

/// Removes the Backup that removes volume snapshots; whether it was there.
pub async fn delete_forget(
    cluster: &Cluster,
    namespace: &str,
    id: Uuid,
) -> Result<bool, ClusterError> {
    let name = forget_name(id);
    let how = Propagation::Background;
    apply::delete(cluster, &backups(), Some(namespace), &name, None, how).await
}

/// Removes a job's Restore; whether it was there.
pub async fn delete_restore(
    cluster: &Cluster,
    namespace: &str,
    job_id: Uuid,
) -> Result<bool, ClusterError> {
    let name = restore_name(job_id);
    let how = Propagation::Background;
    apply::delete(cluster, &restores(), Some(namespace), &name, None, how).await
}

/// All Backups of the namespace, of every vault: an orphan is one whose job its vault does not know.
pub async fn list_backups(cluster: &Cluster, namespace: &str) -> Result<Vec<Backup>, ClusterError> {
    list(cluster, &backups(), namespace).await
}

/// All Restores of the namespace, of every vault.
pub async fn list_restores(
    cluster: &Cluster,
    namespace: &str,
) -> Result<Vec<Restore>, ClusterError> {
    list(cluster, &restores(), namespace).await
}

/// What the extension says of itself; none when it has not spoken yet.
pub async fn extension(
    cluster: &Cluster,
    namespace: &str,
) -> Result<Option<BackupExtension>, ClusterError> {
    read(cluster, &extensions(), namespace, EXTENSION_NAME).await
}

async fn create<S: Serialize, T: DeserializeOwned>(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: &str,
    name: &str,
    spec: &S,
) -> Result<T, ClusterError> {
    let doing = apply::doing("create", kind, Some(namespace), name);
    let object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": { MANAGED_BY_LABEL: MANAGED_BY },
        },
        "spec": to_json(spec, &doing)?,
    });
    let object = match apply::create(cluster, kind, &object).await? {
        Created::New(written) => written.object,
        Created::AlreadyExists => {
            let there = apply::get(cluster, kind, Some(namespace), name).await?;
            there.ok_or_else(|| {
                let message = "it was there and is gone again".to_owned();
                ClusterError::new(&doing, Failure::Conflict { message })
            })?
        }
    };
    from_json(object, &doing)
}

async fn read<T: DeserializeOwned>(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: &str,
    name: &str,
) -> Result<Option<T>, ClusterError> {
    let doing = apply::doing("read", kind, Some(namespace), name);
    let path = path_of(kind, Some(namespace), Some(name));
    let request = crate::cluster::with_body(Method::GET, &path, None, Vec::new(), &doing)?;
    match cluster.call(request, &doing).await {
        Ok(reply) => reply.json(&doing).map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list<T: DeserializeOwned>(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: &str,
) -> Result<Vec<T>, ClusterError> {
    let doing = format!("list {kind} in namespace {namespace}");
    let collector = Collector::with_defaults(cluster.clone());
    let pages = collector.pages(kind, Some(namespace), None, None);
    let mut pages = std::pin::pin!(pages);
    let mut all = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            all.push(item.raw.json().map_err(|error| {
                ClusterError::new(
                    &doing,
                    Failure::Malformed {
                        cause: error.to_string(),
                    },
                )
            })?);
        }
    }
    Ok(all)
}

fn another_job(kind: &ResourceType, namespace: &str, name: &str) -> ClusterError {
    let doing = apply::doing("create", kind, Some(namespace), name);
    let message = "one of that name is there for another job".to_owned();
    ClusterError::new(doing, Failure::Conflict { message })
}

fn to_json(value: &impl Serialize, doing: &str) -> Result<Value, ClusterError> {
    serde_json::to_value(value).map_err(|error| {
        ClusterError::new(
            doing,
            Failure::Malformed {
                cause: error.to_string(),
            },
        )
    })
}

fn from_json<T: DeserializeOwned>(value: Value, doing: &str) -> Result<T, ClusterError> {
    serde_json::from_value(value).map_err(|error| {
        ClusterError::new(
            doing,
            Failure::Malformed {
                cause: error.to_string(),
            },
        )
    })
}

#[cfg(test)]
mod tests;
