//! Moves jobs on: looks at what the store says of a job, does the one thing that comes next, and
//! writes down that it is done. It remembers nothing, so it may be killed anywhere:
//!
//! `Admit` (the job's turn) → `Create` (secrets sealed to the extension's key, custom resource made
//! under the job's own name) → `Observe` (until the extension says that it is done) → `Verify` (a
//! backup's manifest is read: a claim is not believed) → the end in one transaction → `Remove` (the
//! custom resource) → `Forget` (what a failed backup left as volume snapshots) → `Done`. A job that is asked
//! to end goes `Cancel` → the end instead.
//!
//! What is done twice because a crash came between doing and writing is done to the same name with
//! the same meaning, and is no harm.

mod cancel;
mod clear;
mod decide;
mod end;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use strongroom_core::error::{Code, Problem};
use strongroom_kubernetes::crd::{BackupMode, BackupSpec, RestoreSpec};
use strongroom_kubernetes::sealed::{self, JobSecrets};
use strongroom_kubernetes::{EXTENSION_NAMESPACE, jobs as names};

use self::clear::{forget, remove};
pub(super) use self::decide::retry_after;
use self::decide::{Next, Running};
use self::end::{complete, fail};
use super::limits::ADMIT_EVERY;
use super::purge_repositories;
use crate::app::jobs::{self, Admission, Outcome, Progress, Request, Step};
use crate::app::{App, Error, Result, repositories, trusted_access};
use crate::cluster_link::{JobKind, JobSpec, LinkError, Remedy, VaultAccess};
use crate::store::JobRow;

/// Does the one thing that comes next for a job.
pub(super) async fn drive(app: &Arc<App>, row: JobRow) -> Result<()> {
    let request = Request::of(&row)?;
    match Step::of(&row) {
        Step::Admit => admit(app, row).await,
        Step::Create => create(app, row, &request).await,
        Step::Observe => observe(app, row, &request).await,
        Step::Verify => verify(app, row, &request).await,
        Step::Cancel => cancel::cancel(app, row, &request).await,
        Step::Purge => purge_repositories::purge(app, row, &request).await,
        Step::Remove => remove(app, row, &request).await,
        Step::Forget => forget(app, row, &request).await,
        Step::Done => again(app, row, None).await,
    }
}

async fn admit(app: &App, row: JobRow) -> Result<()> {
    let waiting_for = match jobs::admit(app, row.clone()).await? {
        Admission::Begun => {
            app.crash.reach("job_admitted");
            return Ok(());
        }
        Admission::Full(waiting_for) => waiting_for,
    };
    let mut progress = Progress::of(&row)?;
    progress.waiting_for = waiting_for;
    let row = JobRow {
        progress: progress.to_column()?,
        ..row
    };
    again(app, row, Some(app.now() + ADMIT_EVERY)).await
}

async fn create(app: &App, row: JobRow, request: &Request) -> Result<()> {
    let kind = kind_of(request);
    let name = resource_name(kind, &row);
    let (access, spec) = match resource_of(app, &row, request, &name).await? {
        Ok(prepared) => prepared,
        Err(error) => return not_available(app, row, kind, error).await,
    };
    // The name is written down before the cluster is asked: whatever becomes of the request, of its
    // answer or of this process, the job's end removes what is there under that name.
    let row = if row.resource_name.is_some() {
        row
    } else {
        let resource_name = Some(name);
        let named = JobRow {
            resource_name,
            ..row
        };
        match jobs::advance(app, named).await? {
            Some(row) => row,
            None => return Ok(()),
        }
    };
    app.crash.reach("resource_named");
    match app.clusters.create(&access, &spec).await {
        Ok(()) => {
            app.crash.reach("resource_created");
            let now = app.now();
            let mut progress = Progress::of(&row)?;
            progress.unavailable_since = None;
            progress.waiting_for.clear();
            let row = JobRow {
                step: Step::Observe.as_str().to_owned(),
                started_at: Some(now),
                progress: progress.to_column()?,
                ..row
            };
            again(app, row, Some(now)).await
        }
        Err(error) => not_available(app, row, kind, error).await,
    }
}

/// The custom resource of a job, and the way to where it is made. The outer error is the server's own
/// trouble, the inner one the cluster's or the user's.
async fn resource_of(
    app: &App,
    row: &JobRow,
    request: &Request,
    name: &str,
) -> Result<std::result::Result<(VaultAccess, JobSpec), LinkError>> {
    let (access, secrets) = match prepared(app, row, request).await {
        Ok(prepared) => prepared,
        Err(error) => return told(error),
    };
    let status = match app.clusters.extension(&access).await {
        Ok(status) => status.unwrap_or_default(),
        Err(error) => return Ok(Err(error)),
    };
    if !status.ready || status.public_key.is_empty() {
        return Ok(Err(not_ready(app, row)?));
    }
    let info = sealed::info(EXTENSION_NAMESPACE, name);
    let mut random = super::entropy::Random(&*app.entropy);
    let sealed = match sealed::seal_secrets(&status.public_key, &info, &secrets, &mut random) {
        Ok(sealed) => sealed,
        Err(error) => {
            let message = format!("The job's secrets could not be sealed: {error}.");
            let code = Code::UserErrorKubernetesBackupExtensionHasErrors;
            return Ok(Err(LinkError::lasting(code, message)));
        }
    };
    let began = jobs::began(row)?;
    let deadline = SignedDuration::try_from(app.job_limits.deadline)
        .ok()
        .and_then(|limit| began.checked_add(limit).ok());
    let Some(spec) = spec_of(row, request, sealed, deadline) else {
        let error = LinkError::lasting(Code::InternalServerError, "The job needs no cluster.");
        return Ok(Err(error));
    };
    Ok(Ok((access, spec)))
}

/// What a job needs before it can be made: the way into the cluster, and its secrets.
async fn prepared(app: &App, row: &JobRow, request: &Request) -> Result<(VaultAccess, JobSecrets)> {
    let mut session = app.store.read().await?;
    let about = request.about();
    let access =
        trusted_access::of_job(app, &mut *session, &about.cluster_id, &about.vault_id).await?;
    let Some(location) = request.repository() else {
        return Err(Problem::new(Code::InternalServerError, "The job has no repository.").into());
    };
    let key = &row.instance_key;
    let identity = repositories::identity_at(app, &mut *session, key, location).await?;
    let Some(identity) = identity else {
        let message = format!("The backup instance '{}' is gone.", about.instance_id);
        return Err(Problem::new(Code::ResourceNotFound, message).into());
    };
    let store = repositories::for_job(app, &mut *session, location, row.id).await?;
    let secrets = JobSecrets {
        store: serde_json::to_value(&store)
            .map_err(Error::unexpected("write a store's description"))?,
        prefix: location.prefix.clone(),
        repository_key: BASE64.encode(identity.key.as_bytes()),
    };
    Ok((access, secrets))
}

fn spec_of(
    row: &JobRow,
    request: &Request,
    sealed: String,
    deadline: Option<Timestamp>,
) -> Option<JobSpec> {
    Some(match request.clone() {
        Request::Backup {
            about,
            recovery_point_id,
            selection,
            snapshot_classes,
            parent_recovery_point_id,
            ..
        } => JobSpec::Backup(BackupSpec {
            job_id: row.id,
            mode: BackupMode::Backup,
            recovery_point_id,
            backup_instance_id: about.instance_id,
            selection,
            snapshot_classes,
            parent_recovery_point_id,
            sealed,
            deadline,
        }),
        Request::Restore {
            about,
            recovery_point_id,
            mode,
            criteria,
            plan_digest,
            ..
        } => JobSpec::Restore(RestoreSpec {
            job_id: row.id,
            recovery_point_id,
            backup_instance_id: about.instance_id,
            mode,
            criteria,
            sealed,
            plan_digest,
            deadline,
        }),
        Request::NotStarted { .. } | Request::Purge { .. } => return None,
    })
}

/// An extension that is not ready may be on its way, for a while.
fn not_ready(app: &App, row: &JobRow) -> Result<LinkError> {
    let waited = app.now().duration_since(jobs::began(row)?);
    let limit =
        SignedDuration::try_from(app.job_limits.extension_wait).unwrap_or(SignedDuration::MAX);
    let remedy = if waited > limit {
        Remedy::None
    } else {
        Remedy::Wait
    };
    let message = "The backup extension in the cluster is not ready.".to_owned();
    Ok(LinkError {
        problem: Problem::new(Code::UserErrorKubernetesBackupExtensionUnhealthy, message),
        remedy,
    })
}

async fn observe(app: &App, row: JobRow, request: &Request) -> Result<()> {
    let kind = kind_of(request);
    let access = match access_of(app, request).await? {
        Ok(access) => access,
        Err(error) => return not_available(app, row, kind, error).await,
    };
    let observed = app.clusters.observe(&access, kind, row.id).await;
    if matches!(&observed, Ok(Some(status)) if status.attempt > 0) {
        app.crash.reach("work_observed");
    }
    let next = running(app, &row, kind)?.after_look(observed);
    follow(app, row, request, next).await
}

async fn follow(app: &App, mut row: JobRow, request: &Request, next: Next) -> Result<()> {
    match next {
        Next::Again { progress, at } => {
            row.progress = progress.to_column()?;
            again(app, row, Some(at)).await
        }
        Next::Fail {
            progress,
            problem,
            outcome,
        } => {
            row.progress = progress.to_column()?;
            if let Some(outcome) = outcome {
                row.result = outcome.to_column()?;
            }
            fail(app, row, &problem).await?;
            app.crash.reach("job_finished");
            Ok(())
        }
        Next::Ended { progress, outcome } => {
            app.crash.reach("result_observed");
            row.progress = progress.to_column()?;
            row.result = outcome.to_column()?;
            if matches!(request, Request::Backup { .. }) {
                row.step = Step::Verify.as_str().to_owned();
                let now = app.now();
                return again(app, row, Some(now)).await;
            }
            complete(app, row, &outcome, None).await?;
            app.crash.reach("job_finished");
            Ok(())
        }
    }
}

/// Reads the manifest that the extension claims to have sealed. Only then is there a recovery point.
async fn verify(app: &App, row: JobRow, request: &Request) -> Result<()> {
    let outcome = Outcome::of(&row)?.unwrap_or_default();
    let Request::Backup {
        recovery_point_id,
        repository,
        ..
    } = request
    else {
        complete(app, row, &outcome, None).await?;
        return Ok(());
    };
    let Some(digest) = outcome.manifest_digest.clone() else {
        let message = "The extension ended the backup without naming a manifest.";
        fail(app, row, &Problem::new(Code::RecoveryPointCorrupt, message)).await?;
        return Ok(());
    };
    let opened = async {
        let mut session = app.store.read().await?;
        let key = &row.instance_key;
        let identity = repositories::identity_at(app, &mut *session, key, repository).await?;
        let config = repositories::for_server(app, &mut *session, repository).await?;
        Ok::<_, Error>((identity, config))
    };
    let (identity, config) = match opened.await {
        Ok((Some(identity), config)) => (identity, config),
        Ok((None, _)) => {
            let message = "The backup instance was deleted while its backup was running.";
            fail(app, row, &Problem::new(Code::ResourceNotFound, message)).await?;
            return Ok(());
        }
        Err(Error::Problem(problem)) => {
            fail(app, row, &problem).await?;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let found = async {
        let repository = repositories::open(&config, &identity.key).await?;
        repository
            .point_with_digest(*recovery_point_id, &digest)
            .await
    };
    match found.await {
        Ok(point) => {
            app.crash.reach("manifest_verified");
            let row_of_point = jobs::of_backup(&row, request, &outcome, &point)?;
            complete(app, row, &outcome, row_of_point).await?;
            app.crash.reach("job_finished");
            Ok(())
        }
        Err(error) => {
            let problem = match &error {
                strongroom_repository::Error::NotFound { .. } => Problem::new(
                    Code::RecoveryPointCorrupt,
                    "The extension says that it sealed the recovery point, but its manifest is not \
                     in the repository.",
                ),
                error => repositories::problem_of(error),
            };
            let next = running(app, &row, JobKind::Backup)?
                .after_store_error(problem, repositories::is_of_the_point(&error));
            follow(app, row, request, next).await
        }
    }
}

async fn not_available(app: &App, row: JobRow, kind: JobKind, error: LinkError) -> Result<()> {
    let request = Request::of(&row)?;
    let next = running(app, &row, kind)?.after_error(error);
    follow(app, row, &request, next).await
}

fn running<'a>(app: &'a App, row: &'a JobRow, kind: JobKind) -> Result<Running<'a>> {
    Ok(Running {
        kind,
        resource_name: row.resource_name.as_deref().unwrap_or_default(),
        began: jobs::began(row)?,
        progress: Progress::of(row)?,
        now: app.now(),
        limits: &app.job_limits,
    })
}

/// The way into the job's cluster. The inner error is one that a user can mend.
async fn access_of(
    app: &App,
    request: &Request,
) -> Result<std::result::Result<VaultAccess, LinkError>> {
    let about = request.about();
    let mut session = app.store.read().await?;
    match trusted_access::of_job(app, &mut *session, &about.cluster_id, &about.vault_id).await {
        Ok(access) => Ok(Ok(access)),
        Err(error) => told(error),
    }
}

/// Turns a problem into the inner error, and passes the server's own trouble on.
fn told<T>(error: Error) -> Result<std::result::Result<T, LinkError>> {
    match error {
        Error::Problem(problem) => {
            let remedy = match problem.code {
                // A binding that is missing at this moment may be being written.
                Code::UserErrorTrustedAccessMissing => Remedy::Grant,
                _ => Remedy::None,
            };
            Ok(Err(LinkError {
                problem: *problem,
                remedy,
            }))
        }
        other => Err(other),
    }
}

/// Writes a job on, to be looked at again at `at`.
async fn again(app: &App, row: JobRow, at: Option<Timestamp>) -> Result<()> {
    jobs::advance(
        app,
        JobRow {
            next_poll_at: at,
            ..row
        },
    )
    .await
    .map(|_| ())
}

fn kind_of(request: &Request) -> JobKind {
    match request {
        Request::Backup { .. } | Request::NotStarted { .. } => JobKind::Backup,
        Request::Restore { .. } | Request::Purge { .. } => JobKind::Restore,
    }
}

fn resource_name(kind: JobKind, row: &JobRow) -> String {
    match kind {
        JobKind::Backup => names::backup_name(row.id),
        JobKind::Preview => names::preview_name(row.id),
        JobKind::Forget => names::forget_name(row.id),
        JobKind::Restore => names::restore_name(row.id),
    }
}
