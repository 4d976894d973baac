//! Deletes what no recovery point stands for any more: the repositories of deleted instances, and
//! what a failed backup had written.

use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use strongroom_core::error::{Code, Problem};
use strongroom_repository::{Point, StoreConfig};
use uuid::Uuid;

use super::drive_jobs::retry_after;
use super::forget_snapshots::{Forgotten, forget_snapshots};
use super::limits::{ADMIT_EVERY, FORGETS_AT_ONCE, PURGE_AT_ONCE, PURGE_LIMIT, PURGES_AT_ONCE};
use crate::app::jobs::{self, About, Location, Outcome, Progress, Request};
use crate::app::reconcile::outcome_of;
use crate::app::repositories::Identity;
use crate::app::{App, Error, Result, repositories, trusted_access};
use crate::store::JobRow;

/// Deletes the repositories of a deleted instance, and lets the extension remove its volume snapshots. Its
/// key is gone already, so what a crash leaves here is unreadable; the rest of this job is about room.
pub(super) async fn purge(app: &App, mut row: JobRow, request: &Request) -> Result<()> {
    let Request::Purge {
        about,
        repositories,
        snapshots_of,
    } = request
    else {
        let problem = Problem::new(Code::InternalServerError, "The job has nothing to delete.");
        return jobs::fail(app, row, &problem).await.map(|_| ());
    };
    let Ok(_turn) = app.purges.try_acquire() else {
        let others = format!("{PURGES_AT_ONCE} other repositories are being deleted");
        return later(app, row, others, ADMIT_EVERY).await;
    };
    let mut progress = Progress::of(&row)?;
    for location in repositories {
        match purge_one(app, location).await {
            Ok(objects) => *progress.counts.entry("Deleted".to_owned()).or_default() += objects,
            Err(error) => return later_or_never(app, row, error).await,
        }
    }
    row.progress = progress.to_column()?;
    let left = match forget_some(app, about, snapshots_of).await {
        Ok(left) => left,
        Err(error) => return later_or_never(app, row, error).await,
    };
    if !left.is_empty() {
        let waiting_for = format!("the volume snapshots of {} recovery points", left.len());
        // What is done is not asked for again.
        row.request = Request::Purge {
            about: about.clone(),
            repositories: repositories.clone(),
            snapshots_of: left,
        }
        .to_column()?;
        return later(app, row, waiting_for, ADMIT_EVERY).await;
    }
    let outcome = Outcome {
        counts: progress.counts,
        ..Outcome::default()
    };
    jobs::complete(app, row, &outcome, None).await.map(|_| ())
}

/// Lets the extension remove the volume snapshots of some recovery points; returns those that have some
/// still.
async fn forget_some(app: &App, about: &About, points: &[Uuid]) -> Result<Vec<Uuid>> {
    if points.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = app.store.read().await?;
    let (cluster, vault) = (&about.cluster_id, &about.vault_id);
    let access = match trusted_access::of_job(app, &mut *session, cluster, vault).await {
        Ok(access) => access,
        // The cluster was deregistered: what is left in it is out of our reach for good.
        Err(error) if error.code() == Code::ResourceNotFound => {
            tracing::warn!(
                cluster.id = cluster,
                points = points.len(),
                "volume snapshots of a deleted instance stay in a cluster that was deregistered"
            );
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    drop(session);
    let (now, others) = points.split_at(points.len().min(FORGETS_AT_ONCE));
    let mut left = Vec::new();
    for point in now {
        let done = forget_snapshots(app, &access, &about.instance_id, *point).await?;
        if done == Forgotten::NotYet {
            left.push(*point);
        }
    }
    left.extend(others);
    Ok(left)
}

async fn purge_one(app: &App, location: &Location) -> Result<u64> {
    let mut session = app.store.read().await?;
    let config = match repositories::for_server(app, &mut *session, location).await {
        Ok(config) => config,
        // The container was deleted, and all that was in it.
        Err(error) if error.code() == Code::UserErrorNoDefaultBackupStorageLocationFound => {
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    drop(session);
    let told = |error: &strongroom_repository::Error| Error::from(repositories::problem_of(error));
    let store = config.connect().map_err(|e| told(&e))?;
    let prefix = config.prefix().map_err(|e| told(&e))?;
    let unreachable = |error: object_store::Error| {
        Error::from(Problem::new(
            Code::UserErrorBackupStorageLocationNotReady,
            format!("Deleting the data of the instance failed: {error}."),
        ))
    };
    let deleted = store
        .list(Some(&prefix))
        .map_err(unreachable)
        .map_ok(|found| {
            let store = &store;
            async move {
                match store.delete(&found.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(1),
                    Err(error) => Err(unreachable(error)),
                }
            }
        })
        .try_buffer_unordered(PURGE_AT_ONCE)
        .try_fold(0_u64, |sum, one| async move { Ok(sum + one) })
        .await?;
    Ok(deleted)
}

async fn later_or_never(app: &App, row: JobRow, error: Error) -> Result<()> {
    let Error::Problem(problem) = error else {
        return Err(error);
    };
    let now = app.now();
    let tried = Duration::try_from(now.duration_since(row.created_at)).unwrap_or_default();
    if tried > PURGE_LIMIT {
        return jobs::fail(app, row, &problem).await.map(|_| ());
    }
    let wait = retry_after(row.created_at, now);
    later(app, row, problem.message, wait).await
}

async fn later(app: &App, mut row: JobRow, waiting_for: String, wait: Duration) -> Result<()> {
    let mut progress = Progress::of(&row)?;
    progress.waiting_for = waiting_for;
    row.progress = progress.to_column()?;
    row.next_poll_at = Some(app.now() + wait);
    jobs::advance(app, row).await.map(|_| ())
}

/// What became of what a failed backup wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// There is no recovery point of it, or nothing that could be reached.
    Removed,
    /// The server had seen that it was sealed, and it is whole: it is a recovery point now.
    Adopted,
}

/// A recovery point that was sealed; with this digest, if one is known.
async fn sealed(
    config: &StoreConfig,
    identity: &Identity,
    point: Uuid,
    digest: Option<&str>,
) -> strongroom_repository::Result<Point> {
    let repository = repositories::open(config, &identity.key).await?;
    match digest {
        Some(digest) => repository.point_with_digest(point, digest).await,
        None => repository.point(point).await,
    }
}

/// Makes sure that a failed backup leaves either no recovery point or one that the server knows. One
/// whose seal the server had heard of, and then could not read for too long, is taken over; any other
/// is removed, because its job was told to have failed. Its packs go with the next prune.
pub(super) async fn settle_failed(app: &App, row: &JobRow, request: &Request) -> Result<Settled> {
    let Request::Backup {
        recovery_point_id,
        repository,
        ..
    } = request
    else {
        return Ok(Settled::Removed);
    };
    let mut session = app.store.read().await?;
    if session.recovery_point(*recovery_point_id).await?.is_some() {
        // Taken over before, and the process ended before the job was moved on.
        return Ok(Settled::Adopted);
    }
    let key = &row.instance_key;
    let identity = repositories::identity_at(app, &mut *session, key, repository).await?;
    let Some(identity) = identity else {
        return Ok(Settled::Removed);
    };
    let config = match repositories::for_server(app, &mut *session, repository).await {
        Ok(config) => config,
        Err(Error::Problem(_)) => return Ok(Settled::Removed),
        Err(error) => return Err(error),
    };
    drop(session);
    let mut outcome = Outcome::of(row)?.unwrap_or_default();
    // Ended by the restore of an older catalogue, not by what became of it: what lies in the store is true.
    let is_unknown = jobs::failure(row).is_some_and(|why| why.code == Code::CatalogueRestored);
    let digest = outcome.manifest_digest.clone();
    if digest.is_some() || is_unknown {
        match sealed(&config, &identity, *recovery_point_id, digest.as_deref()).await {
            Ok(point) => {
                if digest.is_none() {
                    outcome = outcome_of(&point);
                }
                if let Some(point) = jobs::of_backup(row, request, &outcome, &point)? {
                    jobs::adopt(app, row, request, point).await?;
                }
                return Ok(Settled::Adopted);
            }
            Err(error)
                if is_unknown && !error.is_not_found() && repositories::is_of_the_point(&error) =>
            {
                // Damaged, and perhaps a recovery point all the same: nothing is removed on that ground.
                tracing::warn!(job.id = %row.id, error = %error, "what a backup sealed cannot be read");
                return Ok(Settled::Adopted);
            }
            Err(error) if repositories::is_of_the_point(&error) => {}
            Err(error) => return Err(repositories::problem_of(&error).into()),
        }
    }
    let removed = async {
        repositories::open(&config, &identity.key)
            .await?
            .delete_point(*recovery_point_id)
            .await
    };
    match removed.await {
        Err(error) if error.is_transient() => Err(repositories::problem_of(&error).into()),
        Err(error) => {
            tracing::warn!(job.id = %row.id, error = %error, "what a failed backup wrote cannot be removed");
            Ok(Settled::Removed)
        }
        Ok(()) => Ok(Settled::Removed),
    }
}
