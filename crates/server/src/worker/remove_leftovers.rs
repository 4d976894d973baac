//! Finds custom resources of jobs that have long ended, and removes them.
//!
//! Normally none exist: an ended job keeps its step `Remove` until its custom resource is gone. But
//! a cluster that was restored from a backup of its own, for example, brings old ones back. Custom
//! resources of jobs that this store never knew are left alone: they may be another server's.

use crate::app::jobs::Step;
use crate::app::{App, Result, trusted_access};

/// Looks through every cluster that a vault has access to.
pub(super) async fn remove_leftovers(app: &App) -> Result<usize> {
    let mut removed = 0;
    for access in trusted_access::all(app).await? {
        let jobs = match app.clusters.jobs(&access).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::debug!(cluster.key = access.cluster.key, error = %error, "not searched for leftovers");
                continue;
            }
        };
        for (kind, id) in jobs {
            let row = app.store.read().await?.job(id).await?;
            if row.is_some_and(|row| Step::of(&row) == Step::Done) {
                match app.clusters.remove(&access, kind, id).await {
                    Ok(_) => removed += 1,
                    Err(error) => tracing::warn!(job.id = %id, error = %error, "a leftover stays"),
                }
            }
        }
    }
    Ok(removed)
}
