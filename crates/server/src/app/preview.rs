//! Preview: what a backup with a configuration would take, counted in the cluster before it is saved.
//!
//! Contract: a preview is an operation in the store before it is accepted, and nothing else: no job, no
//! recovery point, and no access to the storage but that of [`probe`], which tries it. It goes through the vault's Trusted Access only. Its custom
//! resource is named after the operation and is removed before the operation ends; what cannot be removed
//! then is found by the worker, which knows the operation. A server that is killed goes on with it at its
//! next start, because the same name is the same preview.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_api::error::UserFacingError;
use strongroom_api::instance::BackupInstance;
use strongroom_api::preview::{BackupPreview, LeftByRule, PreviewedType};
use strongroom_core::error::{Code, Problem};
use strongroom_core::selection::Selection;
use strongroom_core::volumes::GivenClass;
use strongroom_kubernetes::crd::{self, BackupMode, BackupSpec, JobState, JobStatus};
use uuid::Uuid;

use super::error::{chain, refuse};
use super::jobs::selection_of;
use super::limits::{
    PREVIEW_DEADLINE, PREVIEW_LOOK_EVERY, PREVIEW_REMOVALS, PREVIEW_SILENCE, PREVIEWS_AT_ONCE,
};
use super::operations::{self, End, OperationKind};
use super::{App, Error, ResourceId, Result, resources, snapshot_groups, trusted_access};
use crate::cluster_link::{JobKind, JobSpec, LinkError, Remedy, VaultAccess};
use crate::store::OperationRow;

mod probe;

pub use self::probe::{FOLDER, Probed, probe, scope_of};

/// Open operations among which previews are looked for.
const MOST_OPEN: usize = 1000;

/// What an open preview is about. Persisted: fields are only ever added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// Id of the vault.
    vault: String,
    /// Id of the cluster.
    cluster: String,
    /// The configuration.
    selection: Selection,
    /// What the snapshot resource group says of drivers.
    #[serde(default)]
    snapshot_classes: Vec<GivenClass>,
    /// Id of the container that is tried from the cluster as well; only of a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
}

/// Accepts a preview of an instance, existing or not, in a vault. What is wrong with the configuration,
/// and a cluster that the vault has no access to, is said at once. Follow with [`settle`].
pub async fn start(
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
) -> Result<OperationRow> {
    let mut session = app.store.begin().await?;
    let asked = Asked {
        vault: vault.to_string(),
        cluster: instance.data_source_info.resource_id.clone(),
        selection: selection_of(instance)?,
        snapshot_classes: snapshot_groups::given(&mut *session, instance).await?,
        container: None,
    };
    let request = serde_json::to_value(&asked).map_err(Error::unexpected("serialise a preview"))?;
    let found = resources::existing(&mut *session, vault).await?;
    trusted_access::of_job(app, &mut *session, &asked.cluster, &asked.vault).await?;
    let open = session.open_operations(MOST_OPEN).await?;
    if open.iter().filter(|one| is_asked_for(one)).count() >= PREVIEWS_AT_ONCE {
        return refuse(
            Code::TooManyRequests,
            format!("{PREVIEWS_AT_ONCE} previews run already."),
        );
    }
    let location = found.body["location"].as_str().unwrap_or_default();
    let kind = OperationKind::Preview;
    let operation =
        operations::start_of_request(app, &mut *session, kind, vault, location, request).await?;
    session.commit().await?;
    Ok(operation)
}

/// Has it counted, and ends the operation with the numbers.
pub async fn settle(app: Arc<App>, operation: OperationRow) {
    let end = match carry_out(&app, &operation).await {
        Ok(end) => end,
        Err(Error::Problem(problem)) => End::Failed(*problem),
        Err(error) => {
            tracing::error!(error = %chain(&error), "a preview failed inside the server");
            End::Failed(Problem::new(
                Code::InternalServerError,
                "The server failed; its log says how.",
            ))
        }
    };
    operations::written("the end of a preview", || async {
        let mut session = app.store.begin().await?;
        operations::finish(&app, &mut *session, operation.clone(), end.clone()).await?;
        Ok(session.commit().await?)
    })
    .await;
}

fn is_preview(operation: &OperationRow) -> bool {
    operation.kind == OperationKind::Preview.as_str()
}

/// Whether it is one that somebody waits for, and no probe.
fn is_asked_for(operation: &OperationRow) -> bool {
    is_preview(operation) && operation.request["container"].is_null()
}

async fn carry_out(app: &App, operation: &OperationRow) -> Result<End> {
    match counted(app, operation).await? {
        Ok(status) => Ok(End::Succeeded {
            result: result_of(status)?,
        }),
        Err(problem) => Ok(End::Failed(problem)),
    }
}

/// What the extension says in the end. The outer error is the server's own trouble or what was asked for,
/// the inner one the cluster's.
async fn counted(
    app: &App,
    operation: &OperationRow,
) -> Result<std::result::Result<JobStatus, Problem>> {
    let asked: Asked = serde_json::from_value(operation.request.clone())
        .map_err(Error::unexpected("read a preview"))?;
    let id: Uuid = operation
        .id
        .parse()
        .map_err(Error::unexpected("read an operation's id"))?;
    let access = {
        let mut session = app.store.read().await?;
        trusted_access::of_job(app, &mut *session, &asked.cluster, &asked.vault).await?
    };
    let sealed = match &asked.container {
        Some(container) => match probe::sealed(app, &access, container, id).await? {
            Ok(sealed) => sealed,
            Err(problem) => return Ok(Err(problem)),
        },
        None => String::new(),
    };
    let spec = JobSpec::Backup(BackupSpec {
        job_id: id,
        mode: BackupMode::Preview,
        recovery_point_id: id,
        // It belongs to no instance.
        backup_instance_id: asked.vault,
        selection: asked.selection,
        snapshot_classes: asked.snapshot_classes,
        parent_recovery_point_id: None,
        sealed,
        deadline: SignedDuration::try_from(PREVIEW_DEADLINE)
            .ok()
            .and_then(|limit| operation.created_at.checked_add(limit).ok()),
    });
    let preview = Preview {
        app,
        access: &access,
        id,
        created_at: operation.created_at,
    };
    let outcome = preview.run(&spec).await;
    preview.remove().await;
    if let Some(container) = &asked.container {
        probe::clear(app, container, id).await;
    }
    Ok(outcome)
}

/// A preview at work.
struct Preview<'a> {
    app: &'a App,
    access: &'a VaultAccess,
    id: Uuid,
    created_at: Timestamp,
}

impl Preview<'_> {
    /// Makes the custom resource and follows it to its end.
    async fn run(&self, spec: &JobSpec) -> std::result::Result<JobStatus, Problem> {
        let mut alive_at = self.app.now();
        let mut last_seen = None;
        let mut is_made = false;
        loop {
            let looked = if is_made {
                self.look().await
            } else {
                self.make(spec).await.map(|()| JobStatus::default())
            };
            match looked {
                Ok(status) if status.state.is_final() => return ended(status),
                Ok(_) if !is_made => {
                    // It may be done already.
                    is_made = true;
                    continue;
                }
                Ok(status) => {
                    if last_seen.as_ref() != Some(&status) {
                        alive_at = self.app.now();
                        last_seen = Some(status);
                    }
                }
                Err(error) if error.remedy != Remedy::Wait => return Err(error.problem),
                Err(error) if self.is_silent(alive_at) => return Err(error.problem),
                Err(_) => {}
            }
            if self.is_silent(alive_at) {
                let taken = last_seen.is_some_and(|status| status.attempt > 0);
                return Err(silent(taken));
            }
            tokio::time::sleep(PREVIEW_LOOK_EVERY).await;
        }
    }

    fn is_silent(&self, alive_at: Timestamp) -> bool {
        let over =
            |since: Timestamp, limit| self.app.now().duration_since(since).unsigned_abs() > limit;
        over(alive_at, PREVIEW_SILENCE) || over(self.created_at, PREVIEW_DEADLINE)
    }

    async fn make(&self, spec: &JobSpec) -> std::result::Result<(), LinkError> {
        let extension = self.app.clusters.extension(self.access).await?;
        if !extension.is_some_and(|extension| extension.ready) {
            return Err(LinkError {
                problem: Problem::new(
                    Code::UserErrorKubernetesBackupExtensionUnhealthy,
                    "The backup extension in the cluster is not ready.",
                ),
                remedy: Remedy::None,
            });
        }
        self.app.clusters.create(self.access, spec).await
    }

    async fn look(&self) -> std::result::Result<JobStatus, LinkError> {
        let kind = JobKind::Preview;
        let observed = self
            .app
            .clusters
            .observe(self.access, kind, self.id)
            .await?;
        observed.ok_or_else(|| {
            LinkError::lasting(
                Code::KubernetesBackupCustomResourcesTrackingTimeOutError,
                "The custom resource of the preview was removed from the cluster by somebody else.",
            )
        })
    }

    /// Removes the custom resource. When the cluster does not let us, the worker tries later.
    async fn remove(&self) {
        for _ in 0..PREVIEW_REMOVALS {
            let kind = JobKind::Preview;
            match self.app.clusters.remove(self.access, kind, self.id).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(preview.id = %self.id, %error, "a preview's custom resource stays for now");
                    return;
                }
            }
            tokio::time::sleep(PREVIEW_LOOK_EVERY).await;
        }
    }
}

/// Why a preview without a sign of life ends.
fn silent(taken: bool) -> Problem {
    if taken {
        Problem::new(
            Code::UserErrorBackupPluginPodRestartedDuringBackup,
            "The extension stopped during the preview and did not come back.",
        )
    } else {
        Problem::new(
            Code::KubernetesBackupCustomResourcesTrackingTimeOutError,
            "The extension did not take the preview.",
        )
    }
}

/// The final status as the extension's answer or its failure.
fn ended(status: JobStatus) -> std::result::Result<JobStatus, Problem> {
    if status.state != JobState::Failed {
        return Ok(status);
    }
    let error = status.error.unwrap_or_default();
    let code = Code::parse(&error.code).unwrap_or(Code::InternalServerError);
    Err(Problem::new(code, error.message))
}

/// The body of the answer.
fn result_of(status: JobStatus) -> Result<Value> {
    let counted = status.preview.unwrap_or_default();
    let of = |outcome: &str| status.counts.get(outcome).copied().unwrap_or_default();
    let types: Vec<PreviewedType> = counted.types.into_iter().map(type_of).collect();
    // The report counts a type that is not read as one line.
    let not_read = types.iter().filter(|one| one.not_read.is_some()).count() as u64;
    let preview = BackupPreview {
        object_type: "BackupPreview".to_owned(),
        taken: of("BackedUp"),
        bytes: status.bytes,
        left: (of("Skipped") + of("NotSelected")).saturating_sub(not_read),
        types,
        warnings: counted.findings.into_iter().map(warning).collect(),
        left_off: (counted.left_off > 0).then_some(counted.left_off),
        cut: status.cut,
    };
    serde_json::to_value(preview).map_err(Error::unexpected("write a preview"))
}

fn type_of(counted: crd::PreviewedType) -> PreviewedType {
    let left = counted.left.into_iter().map(|left| LeftByRule {
        reason: left.reason,
        objects: left.objects,
    });
    PreviewedType {
        group: counted.group,
        kind: counted.kind,
        taken: counted.taken,
        bytes: counted.bytes,
        failed: counted.failed,
        left: left.collect(),
        not_read: counted.not_read,
    }
}

fn warning(found: crd::PreviewFinding) -> UserFacingError {
    let action = Code::parse(&found.code).map(|code| code.page().what_to_do.to_owned());
    UserFacingError {
        code: Some(found.code),
        message: Some(format!("{}: {}", found.object, found.message)),
        target: Some(found.object),
        recommended_action: action.map(|action| vec![action]),
        ..UserFacingError::default()
    }
}
