//! The way of a job that was asked to end: its custom resource is removed until it is gone, then its store
//! is looked at, and the job ends as cancelled, or, when its recovery point was sealed before, as done.

use strongroom_core::error::Code;
use strongroom_kubernetes::crd::JobState;

use super::decide::{Next, retry_after};
use super::{access_of, again, follow, kind_of, running};
use crate::app::jobs::{self, Outcome, Progress, Request, Warning};
use crate::app::{App, Error, Result, repositories};
use crate::cluster_link::{LinkError, VaultAccess};
use crate::store::{JobRow, RecoveryPointRow};
use crate::worker::limits::{CANCEL_GRACE, OBSERVE_EVERY};

/// Does the next thing for a job that is to end.
pub(super) async fn cancel(app: &App, row: JobRow, request: &Request) -> Result<()> {
    if row.resource_name.is_none() {
        // Nothing was ever made for it.
        return jobs::cancelled(app, row).await.map(|_| ());
    }
    let progress = Progress::of(&row)?;
    if progress.resource_gone_at.is_some() {
        return end(app, row, request).await;
    }
    match access_of(app, request).await? {
        Ok(access) => remove(app, row, request, &access).await,
        // The cluster was deregistered: what is left in it is out of our reach for good.
        Err(error) if error.problem.code == Code::ResourceNotFound => gone(app, row).await,
        Err(error) => not_available(app, row, request, &error).await,
    }
}

async fn remove(app: &App, row: JobRow, request: &Request, access: &VaultAccess) -> Result<()> {
    let kind = kind_of(request);
    let observed = app.clusters.observe(access, kind, row.id).await;
    if let Ok(Some(status)) = &observed {
        // What it did before it was asked to end, it did.
        let has_ended = matches!(
            status.state,
            JobState::Completed | JobState::CompletedWithWarnings
        );
        let next = running(app, &row, kind)?.after_look(observed.clone());
        match next {
            Next::Ended { .. } if has_ended => return follow(app, row, request, next).await,
            Next::Ended { progress, .. }
            | Next::Again { progress, .. }
            | Next::Fail { progress, .. } => {
                let row = JobRow {
                    progress: progress.to_column()?,
                    ..row
                };
                return removed(app, row, request, access).await;
            }
        }
    }
    removed(app, row, request, access).await
}

async fn removed(app: &App, row: JobRow, request: &Request, access: &VaultAccess) -> Result<()> {
    match app.clusters.remove(access, kind_of(request), row.id).await {
        Ok(true) => gone(app, row).await,
        Ok(false) => {
            let at = app.now() + OBSERVE_EVERY;
            again(app, row, Some(at)).await
        }
        Err(error)
            if error.problem.code == Code::UserErrorKubernetesBackupExtensionNotFoundError =>
        {
            gone(app, row).await
        }
        Err(error) => not_available(app, row, request, &error).await,
    }
}

/// The custom resource is gone. What the extension had under way as it learnt of it may land still.
async fn gone(app: &App, row: JobRow) -> Result<()> {
    app.crash.reach("cancelled_resource_deleted");
    let now = app.now();
    let mut progress = Progress::of(&row)?;
    progress.resource_gone_at = Some(now);
    progress.waiting_for.clear();
    let row = JobRow {
        progress: progress.to_column()?,
        ..row
    };
    again(app, row, Some(now + CANCEL_GRACE)).await
}

/// A cluster that does not answer is waited for, but not for ever: the job is to end. Its custom resource
/// is removed when the cluster answers again, as that of any other job.
async fn not_available(app: &App, row: JobRow, request: &Request, error: &LinkError) -> Result<()> {
    let now = app.now();
    let mut progress = Progress::of(&row)?;
    let since = progress.cancel_asked_at.unwrap_or(row.created_at);
    let waited = std::time::Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if waited <= app.job_limits.unavailable {
        progress.waiting_for.clone_from(&error.problem.message);
        let row = JobRow {
            progress: progress.to_column()?,
            ..row
        };
        return again(app, row, Some(now + retry_after(since, now))).await;
    }
    progress.warnings.push(Warning {
        code: Some(error.problem.code.as_str().to_owned()),
        message: format!(
            "The cluster does not answer; what runs there for this job ends when it does. {}",
            error.problem.message
        ),
        ..Warning::default()
    });
    let row = JobRow {
        progress: progress.to_column()?,
        ..row
    };
    end(app, row, request).await
}

async fn end(app: &App, row: JobRow, request: &Request) -> Result<()> {
    match sealed(app, &row, request).await {
        Ok(Some((outcome, point))) => {
            jobs::complete(app, row, &outcome, Some(point)).await?;
        }
        Ok(None) => {
            jobs::cancelled(app, row).await?;
        }
        Err(Error::Problem(problem)) => {
            let now = app.now();
            let mut progress = Progress::of(&row)?;
            let since = progress.resource_gone_at.unwrap_or(now);
            let waited = std::time::Duration::try_from(now.duration_since(since));
            if waited.unwrap_or_default() > app.job_limits.unavailable {
                // Whatever lies there is removed, or taken over, when the store answers again.
                jobs::cancelled(app, row).await?;
            } else {
                progress.waiting_for = problem.message;
                let row = JobRow {
                    progress: progress.to_column()?,
                    ..row
                };
                return again(app, row, Some(now + retry_after(since, now))).await;
            }
        }
        Err(error) => return Err(error),
    }
    app.crash.reach("job_finished");
    Ok(())
}

/// The recovery point of a backup, if it was sealed before its custom resource was gone.
async fn sealed(
    app: &App,
    row: &JobRow,
    request: &Request,
) -> Result<Option<(Outcome, RecoveryPointRow)>> {
    let Request::Backup {
        recovery_point_id,
        repository,
        ..
    } = request
    else {
        return Ok(None);
    };
    let mut session = app.store.read().await?;
    let key = &row.instance_key;
    let identity = repositories::identity_at(app, &mut *session, key, repository).await?;
    let Some(identity) = identity else {
        return Ok(None);
    };
    let config = match repositories::for_server(app, &mut *session, repository).await {
        Ok(config) => config,
        // The container was deleted, and all that was in it.
        Err(error) if error.code() == Code::UserErrorNoDefaultBackupStorageLocationFound => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    drop(session);
    let found = async {
        let repository = repositories::open(&config, &identity.key).await?;
        repository.point(*recovery_point_id).await
    };
    let point = match found.await {
        Ok(point) => point,
        Err(error) if error.is_transient() => return Err(repositories::problem_of(&error).into()),
        Err(_) => return Ok(None),
    };
    let progress = Progress::of(row)?;
    let outcome = Outcome {
        with_warnings: progress.findings > 0,
        manifest_digest: Some(point.digest().to_owned()),
        counts: progress.counts,
        bytes: progress.bytes,
        new_bytes: progress.new_bytes,
        findings: progress.findings,
        ..Outcome::default()
    };
    let row_of_point = jobs::of_backup(row, request, &outcome, &point)?;
    Ok(row_of_point.map(|point| (outcome, point)))
}
