//! Instances that are deleted and can be brought back, as clients see them.

use strongroom_api::instance::DeletedBackupInstanceResource;

use super::{TYPE, vaults};
use crate::app::{App, ResourceId, Result, resources};
use crate::store::{ResourceRow, Session};

/// Published type of a deleted instance.
pub const DELETED_TYPE: &str = "Microsoft.DataProtection/backupVaults/deletedBackupInstances";

/// The row of a deleted instance, or 404.
pub(super) async fn require(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    let vault = vaults::require(session, &id.without(2)).await?;
    let live = ResourceId::published(vault.id).child("backupInstances", id.name());
    match session.deleted_resource(&live.key()).await? {
        Some(row) => Ok(row),
        None => Err(resources::not_found(id)),
    }
}

/// One deleted instance.
pub async fn get(app: &App, id: &ResourceId) -> Result<DeletedBackupInstanceResource> {
    shown(&require(&mut *app.store.read().await?, id).await?)
}

/// The deleted instances of a vault, in the order of their names.
pub async fn list(
    app: &App,
    vault: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<DeletedBackupInstanceResource>, Option<String>)> {
    let mut session = app.store.read().await?;
    let vault = vaults::require(&mut *session, vault).await?;
    let prefix = format!("{}/", vault.key);
    let after = after.filter(|after| after.starts_with(&prefix));
    let kind = TYPE.to_lowercase();
    let page = session
        .deleted_resources(&kind, &prefix, after, limit)
        .await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| row.key.clone());
    Ok((page.rows.iter().map(shown).collect::<Result<_>>()?, next))
}

fn shown(row: &ResourceRow) -> Result<DeletedBackupInstanceResource> {
    let mut deleted: DeletedBackupInstanceResource = resources::document(row, DELETED_TYPE)?;
    let vault = ResourceId::published(row.id.clone()).without(2);
    let id = vault.child("deletedBackupInstances", &row.name);
    deleted.id = Some(id.to_string());
    Ok(deleted)
}
