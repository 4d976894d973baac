//! What instances have stored, and where: for those that remove what nothing needs.

use std::collections::BTreeSet;

use super::TYPE;
use crate::app::jobs::{self, Location, Request, Step};
use crate::app::{Error, ResourceId, Result};
use crate::store::{JobFilter, JobRow, ResourceRow, Rows, Session, TimeCursor};

/// Rows that are read at a time.
const PAGE: usize = 1000;

/// Newest backups of an instance among which those are looked for that still have something in a
/// cluster: more than can end badly while a cluster is away for a week, tried hourly.
const RECENT_BACKUPS: usize = 200;

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

/// Backups of the instance that ended without a recovery point while their cluster is still out of
/// reach.
pub async fn lost_backups(session: &mut dyn Session, row: &ResourceRow) -> Result<Vec<JobRow>> {
    let filter = JobFilter {
        vault_key: vault_key(row),
        instance_key: Some(row.key.clone()),
        operation: Some(jobs::BACKUP.to_owned()),
        ..JobFilter::default()
    };
    let mut found = session.jobs(&filter, None, RECENT_BACKUPS).await?.rows;
    found.retain(|job| Step::of(job) == Step::Remove && !jobs::is_success(job));
    Ok(found)
}

fn vault_key(instance: &ResourceRow) -> String {
    ResourceId::published(instance.id.clone()).without(2).key()
}

/// Every repository that a backup of the instance may have written to: those of its recovery
/// points, and those of its jobs, because a failed backup leaves packs as well.
pub async fn repositories_of(
    session: &mut dyn Session,
    row: &ResourceRow,
) -> Result<Vec<Location>> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = session
            .recovery_points(&row.key, (None, None), after, PAGE)
            .await?;
        for point in &page.rows {
            let location: Location = serde_json::from_value(point.body["repository"].clone())
                .map_err(Error::unexpected("read where a recovery point is"))?;
            found.insert(location);
        }
        after = page.rows.last().map(|row| TimeCursor {
            created_at: row.created_at,
            id: row.id,
        });
        if !page.more {
            break;
        }
    }
    let filter = JobFilter {
        vault_key: vault_key(row),
        instance_key: Some(row.key.clone()),
        ..JobFilter::default()
    };
    let mut after = None;
    loop {
        let page = session.jobs(&filter, after, PAGE).await?;
        for job in &page.rows {
            found.extend(jobs::Request::of(job)?.repository().cloned());
        }
        after = page.rows.last().map(|row| TimeCursor {
            created_at: row.created_at,
            id: row.id,
        });
        if !page.more {
            break;
        }
    }
    Ok(found.into_iter().collect())
}
