//! What an ended job has left in its cluster is removed, however long that is away: its custom resource,
//! and the volume snapshots of a backup that failed.

use strongroom_core::error::Code;

use super::{access_of, again, kind_of, retry_after};
use crate::app::jobs::{self, Progress, Request, Step, Warning};
use crate::app::{App, Error, Result};
use crate::store::JobRow;
use crate::worker::forget_snapshots::{Forgotten, forget_snapshots};
use crate::worker::limits::{FORGET_AFTER, OBSERVE_EVERY, ORPHANS_EVERY};
use crate::worker::purge_repositories::{self, Settled};

/// Removes the custom resource of an ended job, however long its cluster is away.
pub(super) async fn remove(app: &App, row: JobRow, request: &Request) -> Result<()> {
    let kind = kind_of(request);
    let now = app.now();
    let since = row.ended_at.unwrap_or(now);
    let later = now + retry_after(since, now);
    let gone = match access_of(app, request).await? {
        Ok(access) => match app.clusters.remove(&access, kind, row.id).await {
            Ok(gone) => gone,
            // Without the extension's namespace or kinds there is no custom resource either.
            Err(error)
                if error.problem.code == Code::UserErrorKubernetesBackupExtensionNotFoundError =>
            {
                true
            }
            Err(error) => {
                tracing::debug!(job.id = %row.id, error = %error, "the custom resource stays for now");
                return again(app, row, Some(later)).await;
            }
        },
        // The cluster was deregistered: what is left in it is out of our reach for good.
        Err(error) if error.problem.code == Code::ResourceNotFound => true,
        // Without Trusted Access nothing can be removed until the vault is bound again.
        Err(_) => return again(app, row, Some(now + ORPHANS_EVERY)).await,
    };
    if !gone {
        // It had finalizers or was only just being removed: look once more.
        return again(app, row, Some(now + OBSERVE_EVERY)).await;
    }
    app.crash.reach("resource_deleted");
    let mut progress = Progress::of(&row)?;
    let (mut step, mut at) = (Step::Done, None);
    if !jobs::is_success(&row)
        && let Request::Backup { selection, .. } = request
    {
        match purge_repositories::settle_failed(app, &row, request).await {
            Ok(Settled::Removed) if selection.snapshot_volumes => {
                (step, at) = (Step::Forget, Some(now + FORGET_AFTER));
            }
            Ok(Settled::Removed) => {}
            Ok(Settled::Adopted) => progress.warnings.push(Warning {
                message:
                    "The storage location answered again: the recovery point that this job had \
                          sealed is whole, and is kept."
                        .to_owned(),
                ..Warning::default()
            }),
            Err(error) => {
                tracing::warn!(job.id = %row.id, error = %error, "what a failed backup wrote stays for now");
                return again(app, row, Some(later)).await;
            }
        }
    }
    let row = JobRow {
        step: step.as_str().to_owned(),
        progress: progress.to_column()?,
        ..row
    };
    again(app, row, at).await
}

/// Lets the extension remove the volume snapshots of a backup that failed, whether or not it knows that it
/// has: one that died between its last word and the seal keeps them, since the recovery point may exist.
pub(super) async fn forget(app: &App, row: JobRow, request: &Request) -> Result<()> {
    let Request::Backup {
        about,
        recovery_point_id,
        ..
    } = request
    else {
        return done(app, row).await;
    };
    let now = app.now();
    let later = now + retry_after(row.ended_at.unwrap_or(now), now);
    let access = match access_of(app, request).await? {
        Ok(access) => access,
        // The cluster was deregistered: what is left in it is out of our reach for good.
        Err(error) if error.problem.code == Code::ResourceNotFound => return done(app, row).await,
        Err(_) => return again(app, row, Some(now + ORPHANS_EVERY)).await,
    };
    match forget_snapshots(app, &access, &about.instance_id, *recovery_point_id).await {
        Ok(Forgotten::All) => done(app, row).await,
        Ok(Forgotten::NotYet) => again(app, row, Some(now + OBSERVE_EVERY)).await,
        // Nobody is left who could remove them, or who made any.
        Err(error) if error.code() == Code::UserErrorKubernetesBackupExtensionNotFoundError => {
            done(app, row).await
        }
        Err(Error::Problem(problem)) => {
            tracing::debug!(job.id = %row.id, error = %problem, "volume snapshots of a failed backup stay for now");
            again(app, row, Some(later)).await
        }
        Err(error) => Err(error),
    }
}

async fn done(app: &App, row: JobRow) -> Result<()> {
    let step = Step::Done.as_str().to_owned();
    again(app, JobRow { step, ..row }, None).await
}
