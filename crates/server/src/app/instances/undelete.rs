//! Brings a deleted instance back.
//!
//! Contract: it comes back with everything that it had, its protection stopped: what is backed up again is
//! for whoever resumes it. Its cluster and its policy may be gone meanwhile; restores need neither.

use strongroom_api::instance::BackupInstanceResource;
use strongroom_core::protection::Action;

use super::{
    CLUSTER_ROLE, POLICY_ROLE, SNAPSHOT_GROUP_ROLE, TYPE, deleted, protection, set_state, state_of,
};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, snapshot_groups};
use crate::store::{OperationRow, UseRow};

/// Brings back the instance with this id below `deletedBackupInstances`.
pub async fn undelete(app: &App, id: &ResourceId, terms: &Terms) -> Result<OperationRow> {
    let mut session = app.store.begin().await?;
    let row = deleted::require(&mut *session, id).await?;
    let mut instance: BackupInstanceResource = resources::document(&row, TYPE)?;
    let state = state_of(&instance.properties).after(Action::Undelete)?;
    set_state(&mut instance.properties, state, None);
    instance.properties.deletion_info = None;
    session.set_resource_deleted(&row.key, None).await?;
    let id = ResourceId::published(row.id.clone());
    let by = &terms.by;
    resources::write(app, &mut *session, &id, TYPE, &instance, Some(&row), by).await?;
    let cluster = &instance.properties.data_source_info.resource_id;
    let policy = &instance.properties.policy_info.policy_id;
    let group = snapshot_groups::id_of(&instance.properties).ok().flatten();
    let group = group.map(|id| id.key()).unwrap_or_default();
    for (role, target) in [
        (CLUSTER_ROLE, cluster),
        (POLICY_ROLE, policy),
        (SNAPSHOT_GROUP_ROLE, &group),
    ] {
        let target_key = target.to_lowercase();
        if session.resource(&target_key).await?.is_some() {
            let edge = UseRow {
                user_key: row.key.clone(),
                role: role.to_owned(),
                target_key,
            };
            session.put_use(&edge).await?;
        }
    }
    let operation = protection::ended(app, &mut *session, &id).await?;
    session.commit().await?;
    tracing::info!(instance.id = %id, by = by.name, "a deleted instance was brought back");
    Ok(operation)
}
