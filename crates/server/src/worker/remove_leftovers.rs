//! Finds custom resources of jobs that have long ended, and removes them.
//!
//! Normally none exist: an ended job keeps its step `Remove` until its custom resource is gone. But
//! a cluster that was restored from a backup of its own, for example, brings old ones back. Custom
//! resources of jobs that this store never knew are left alone: they may be another server's.

use uuid::Uuid;

use crate::app::jobs::Step;
use crate::app::{App, Result, trusted_access};
use crate::cluster_link::JobKind;

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
            if is_over(app, kind, id).await? {
                match app.clusters.remove(&access, kind, id).await {
                    Ok(_) => removed += 1,
                    Err(error) => tracing::warn!(job.id = %id, error = %error, "a leftover stays"),
                }
            }
        }
    }
    Ok(removed)
}

/// Whether this server knows what a custom resource was made for, and that it has ended.
async fn is_over(app: &App, kind: JobKind, id: Uuid) -> Result<bool> {
    let mut session = app.store.read().await?;
    if kind == JobKind::Preview {
        let operation = session.operation(&id.to_string()).await?;
        return Ok(operation.is_some_and(|operation| operation.status.is_final()));
    }
    let row = session.job(id).await?;
    Ok(row.is_some_and(|row| Step::of(&row) == Step::Done))
}

#[cfg(test)]
mod tests {
    use super::remove_leftovers;
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn a_custom_resource_that_came_back_after_its_jobs_end_is_removed_and_a_running_one_stays()
     {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let of_first = it.harness.clusters.resources();
        assert_eq!(remove_leftovers(&it.harness.app).await.unwrap(), 0);
        it.extension_backs_up().await;
        assert!(it.harness.clusters.resources().is_empty());
        it.harness.clusters.bring_back(of_first);
        assert_eq!(remove_leftovers(&it.harness.app).await.unwrap(), 1);
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn a_custom_resource_of_a_job_that_this_server_never_knew_is_left_alone() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let other = Protected::new().await;
        // Ids are counted in tests; without jobs of its own the other server knows none of them.
        other
            .harness
            .clusters
            .bring_back(it.harness.clusters.resources());
        assert_eq!(remove_leftovers(&other.harness.app).await.unwrap(), 0);
        assert_eq!(other.harness.clusters.resources().len(), 1);
    }

    #[tokio::test]
    async fn a_cluster_that_is_away_does_not_keep_others_from_being_searched() {
        let it = Protected::new().await;
        it.harness.clusters.set_unreachable(true);
        assert_eq!(remove_leftovers(&it.harness.app).await.unwrap(), 0);
    }
}
