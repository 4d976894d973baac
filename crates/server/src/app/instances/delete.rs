//! Ends a protection and deletes its recovery points.

use std::collections::BTreeSet;

use super::TYPE;
use crate::app::jobs::{self, About, Location};
use crate::app::resources::{self, Preconditions};
use crate::app::{App, Error, ResourceId, Result, vaults};
use crate::store::{JobFilter, ResourceRow, Session, TimeCursor};
use strongroom_api::instance::BackupInstance;

/// Rows that are read at a time while looking for repositories.
const PAGE: usize = 1000;

/// Deletes an instance with its recovery points, in one transaction with a job that removes what
/// they left in the stores; tells whether it was there. Refused while a job of it runs.
pub async fn delete(app: &App, id: &ResourceId, preconditions: &Preconditions) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    preconditions.check(Some(&row))?;
    if let Some(job) = session.open_jobs_of_instance(&row.key).await?.first() {
        return Err(resources::in_use(&row.id, &[format!("job {}", job.id)]));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    let about = about(&mut *session, &row).await?;
    let repositories = repositories_of(&mut *session, &row, &about).await?;
    session.delete_resource(&row.key).await?;
    let job = jobs::schedule_purge(app, &mut *session, about, repositories).await?;
    session.commit().await?;
    if job.is_some() {
        app.jobs_changed.notify_one();
    }
    Ok(true)
}

async fn about(session: &mut dyn Session, row: &ResourceRow) -> Result<About> {
    let instance: BackupInstance = resources::document(row, TYPE)?.properties;
    let vault = ResourceId::published(row.id.clone()).without(2);
    let vault = vaults::document(&vaults::require(session, &vault).await?)?;
    Ok(About {
        instance_id: row.id.clone(),
        instance_name: instance.friendly_name.unwrap_or_else(|| row.name.clone()),
        vault_id: vault.id.unwrap_or_default(),
        cluster_id: instance.data_source_info.resource_id.clone(),
        datasource_id: instance.data_source_info.resource_id,
        policy_id: Some(instance.policy_info.policy_id),
        location: vault.location.unwrap_or_default(),
        is_user_triggered: true,
    })
}

/// Every repository that a backup of the instance may have written to: those of its recovery
/// points, and those of its jobs, because a failed backup leaves packs as well.
async fn repositories_of(
    session: &mut dyn Session,
    row: &ResourceRow,
    about: &About,
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
        vault_key: about.vault_id.to_lowercase(),
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
