//! What instances have stored, and where: for those that remove what nothing needs.

use super::TYPE;
use crate::app::Result;
use crate::app::jobs::{self, Location, Request, Step};
use crate::store::{JobRow, ResourceRow, Rows, Session};

/// Rows that are read at a time.
const PAGE: usize = 1000;

/// Instances of all vaults, in the order of their keys, from the one after the key `after`.
pub async fn all(session: &mut dyn Session, after: Option<&str>) -> Result<Rows<ResourceRow>> {
    let kind = TYPE.to_lowercase();
    Ok(session.resources(&kind, "/", after, PAGE).await?)
}

/// Whether a backup of the instance is under way.
pub async fn is_being_backed_up(session: &mut dyn Session, instance_key: &str) -> Result<bool> {
    for job in session.open_jobs_of_instance(instance_key).await? {
        if matches!(Request::of(&job)?, Request::Backup { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether any job of the instance is under way: another one would be refused.
pub async fn is_busy(session: &mut dyn Session, instance_key: &str) -> Result<bool> {
    let open = jobs::open_of_instance(session, instance_key).await?;
    Ok(!open.is_empty())
}

/// Backups of the instance that ended without a recovery point while their cluster is still out of
/// reach.
pub async fn lost_backups(session: &mut dyn Session, row: &ResourceRow) -> Result<Vec<JobRow>> {
    let mut found = session.waiting_jobs_of_instance(&row.key).await?;
    found.retain(|job| {
        job.operation == jobs::BACKUP && Step::of(job) == Step::Remove && !jobs::is_success(job)
    });
    Ok(found)
}

/// Every repository that a job of the instance may have written to: a failed backup leaves packs as
/// well as one that made a recovery point.
pub async fn repositories_of(
    session: &mut dyn Session,
    row: &ResourceRow,
) -> Result<Vec<Location>> {
    let found = session.repositories(&row.key).await?;
    Ok(found
        .into_iter()
        .map(|found| Location {
            container_id: found.container_id,
            prefix: found.prefix,
        })
        .collect())
}
