//! Ends a protection: for good with its recovery points, or so that it can be brought back.
//!
//! Contract: in a vault with soft delete on, an instance with recovery points is put aside for as many
//! days as the vault says, with everything that it has; it holds neither its cluster nor its policy any
//! more. Once they are over ([`purge`]), in a vault with soft delete off, or without a recovery point, it
//! is removed in one transaction with a job that removes what it left in the stores. An immutable vault
//! refuses both while a recovery point is within its time.

use jiff::{SignedDuration, Timestamp};
use strongroom_api::instance::{BackupInstance, BackupInstanceResource, DeletionInfo};
use strongroom_core::guard::CriticalOperation;
use strongroom_core::protection::Action;

use super::stored::repositories_of;
use super::{CLUSTER_ROLE, POLICY_ROLE, SNAPSHOT_GROUP_ROLE, TYPE, set_state, state_of};
use crate::app::jobs::{self, About};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, guards, immutability, retention, vaults};
use crate::store::{JobRow, ResourceRow, Session};

/// Deletes an instance; tells whether it was there. Refused while a job of it runs.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    if let Some(job) = jobs::open_of_instance(&mut *session, &row.key)
        .await?
        .first()
    {
        return Err(resources::in_use(&row.id, &[format!("job {}", job.id)]));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    let vault = ResourceId::published(row.id.clone()).without(2);
    let vault = vaults::document(&vaults::require(&mut *session, &vault).await?)?;
    immutability::refuse_loss(app, &mut *session, &vault.properties, &row).await?;
    let vault_id = ResourceId::published(row.id.clone()).without(2);
    let operation = CriticalOperation::DeleteInstance;
    guards::require(app, &mut *session, &vault_id, operation, &row.id, terms).await?;
    let days = vaults::soft_delete_days(&vault.properties);
    let has_points = session.last_made_recovery_point(&row.key).await?.is_some();
    let job = match days.filter(|_| has_points) {
        Some(days) => {
            put_aside(app, &mut *session, &row, days, terms).await?;
            None
        }
        None => remove(app, &mut *session, &row).await?,
    };
    session.commit().await?;
    app.crash.reach("instance_deleted");
    if job.is_some() {
        app.jobs_changed.notify_one();
    }
    Ok(true)
}

async fn put_aside(
    app: &App,
    session: &mut dyn Session,
    row: &ResourceRow,
    days: i64,
    terms: &Terms,
) -> Result<()> {
    let mut instance: BackupInstanceResource = resources::document(row, TYPE)?;
    let state = state_of(&instance.properties).after(Action::SoftDelete)?;
    let now = app.now();
    let purge = now
        .saturating_add(SignedDuration::from_hours(days * 24))
        .unwrap_or(Timestamp::MAX);
    set_state(&mut instance.properties, state, None);
    instance.properties.provisioning_state = Some("Succeeded".to_owned());
    instance.properties.deletion_info = Some(DeletionInfo {
        deletion_time: Some(now),
        billing_end_date: Some(purge),
        scheduled_purge_time: Some(purge),
        delete_activity_id: Some(app.new_id().to_string()),
    });
    let id = ResourceId::published(row.id.clone());
    let by = &terms.by;
    resources::write(app, session, &id, TYPE, &instance, Some(row), by).await?;
    // Its recovery points hold their containers still.
    for role in [CLUSTER_ROLE, POLICY_ROLE, SNAPSHOT_GROUP_ROLE] {
        session.delete_use(&row.key, role).await?;
    }
    session.set_resource_deleted(&row.key, Some(now)).await?;
    tracing::info!(
        instance.id = row.id, until = %purge, by = by.name,
        "an instance was deleted; it can be brought back"
    );
    Ok(())
}

/// Removes a deleted instance whose time is over at `now`, for good; tells whether it did.
pub async fn purge(app: &App, key: &str) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.deleted_resource(key).await? else {
        return Ok(false);
    };
    let instance: BackupInstance = resources::document(&row, TYPE)?.properties;
    let purge_time = instance
        .deletion_info
        .and_then(|info| info.scheduled_purge_time);
    if purge_time.is_none_or(|time| time > app.now()) {
        return Ok(false);
    }
    // It was deleted before its vault became immutable.
    let vault = ResourceId::published(row.id.clone()).without(2);
    let vault = vaults::document(&resources::existing_or_deleted(&mut *session, &vault).await?)?;
    let held = immutability::holds(app, &mut *session, &vault.properties, &row).await?;
    if let Some((point, hold)) = held {
        tracing::debug!(
            instance.id = row.id, recovery_point.id = %point,
            "a deleted instance whose time is over stays in its immutable vault: {hold}"
        );
        return Ok(false);
    }
    let job = remove(app, &mut *session, &row).await?;
    session.commit().await?;
    tracing::info!(
        instance.id = row.id,
        "the time of a deleted instance is over; it is removed"
    );
    if job.is_some() {
        app.jobs_changed.notify_one();
    }
    Ok(true)
}

/// Removes an instance with its recovery points; the job removes what they left in the stores, and
/// their volume snapshots.
async fn remove(app: &App, session: &mut dyn Session, row: &ResourceRow) -> Result<Option<JobRow>> {
    let about = about(session, row).await?;
    let repositories = repositories_of(session, row).await?;
    let snapshots_of = retention::with_volumes(session, &row.key).await?;
    session.delete_resource(&row.key).await?;
    jobs::schedule_purge(app, session, about, repositories, snapshots_of).await
}

async fn about(session: &mut dyn Session, row: &ResourceRow) -> Result<About> {
    let instance: BackupInstance = resources::document(row, TYPE)?.properties;
    let vault = ResourceId::published(row.id.clone()).without(2);
    let vault = resources::existing_or_deleted(session, &vault).await?;
    let vault = vaults::document(&vault)?;
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
