//! Ends a protection and deletes its recovery points.

use super::TYPE;
use super::stored::repositories_of;
use crate::app::jobs::{self, About};
use crate::app::resources::{self, Preconditions};
use crate::app::{App, ResourceId, Result, retention, vaults};
use crate::store::{ResourceRow, Session};
use strongroom_api::instance::BackupInstance;

/// Deletes an instance with its recovery points, in one transaction with a job that removes what
/// they left in the stores and their volume snapshots; tells whether it was there. Refused while a job of it runs.
pub async fn delete(app: &App, id: &ResourceId, preconditions: &Preconditions) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    preconditions.check(Some(&row))?;
    if let Some(job) = jobs::open_of_instance(&mut *session, &row.key)
        .await?
        .first()
    {
        return Err(resources::in_use(&row.id, &[format!("job {}", job.id)]));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    let about = about(&mut *session, &row).await?;
    let repositories = repositories_of(&mut *session, &row).await?;
    let snapshots_of = retention::with_volumes(&mut *session, &row.key).await?;
    session.delete_resource(&row.key).await?;
    let job = jobs::schedule_purge(app, &mut *session, about, repositories, snapshots_of).await?;
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
