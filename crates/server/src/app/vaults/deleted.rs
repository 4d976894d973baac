//! Vaults that are deleted and can be brought back, as clients see them.

use jiff::Timestamp;
use strongroom_api::arm::Resource;
use strongroom_api::vault::{DeletedBackupVault, DeletedBackupVaultResource, ResourceDeletionInfo};

use super::TYPE;
use crate::app::{App, Error, ResourceId, Result, instances, resource_groups, resources};
use crate::store::{ResourceRow, Session};

/// Published type of a deleted vault.
pub const DELETED_TYPE: &str = "Microsoft.DataProtection/locations/deletedVaults";

/// Deleted vaults or instances read at a time.
const PAGE: usize = 100;

/// When the last of the deleted instances of a vault is gone; none when it has none.
pub(super) async fn last_purge_time(
    session: &mut dyn Session,
    vault_key: &str,
) -> Result<Option<Timestamp>> {
    let kind = instances::TYPE.to_lowercase();
    let prefix = format!("{vault_key}/");
    let mut last = None;
    let mut after: Option<String> = None;
    loop {
        let page = session
            .deleted_resources(&kind, &prefix, after.as_deref(), PAGE)
            .await?;
        for row in &page.rows {
            let time = row.body["properties"]["deletionInfo"]["scheduledPurgeTime"].as_str();
            // One that says no time is never purged.
            let time = time
                .and_then(|time| time.parse().ok())
                .unwrap_or(Timestamp::MAX);
            last = last.max(Some(time));
        }
        after = page.rows.last().map(|row| row.key.clone());
        if !page.more {
            return Ok(last);
        }
    }
}

/// One deleted vault, by its address below a location.
pub async fn get(app: &App, id: &ResourceId) -> Result<DeletedBackupVaultResource> {
    let row = find(&mut *app.store.read().await?, id).await?;
    shown(&row)
}

/// The row of a deleted vault that an address below a location names.
pub(super) async fn find(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    let location = id.after("locations").unwrap_or_default().to_lowercase();
    let prefix = format!("{}/", id.subscription().key());
    let mut after: Option<String> = None;
    loop {
        let page = session
            .deleted_resources(&TYPE.to_lowercase(), &prefix, after.as_deref(), PAGE)
            .await?;
        after = page.rows.last().map(|row| row.key.clone());
        let more = page.more;
        let fits = |row: &ResourceRow| {
            name_of(row).eq_ignore_ascii_case(id.name()) && location_of(row) == location
        };
        if let Some(row) = page.rows.into_iter().find(fits) {
            return Ok(row);
        }
        if !more {
            return Err(resources::not_found(id));
        }
    }
}

/// The deleted vaults of a subscription, which has to be there, in a location, in the order of their former ids.
pub async fn list(
    app: &App,
    location: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<DeletedBackupVaultResource>, Option<String>)> {
    let prefix = format!("{}/", location.subscription().key());
    let mut after = after
        .filter(|after| after.starts_with(&prefix))
        .map(str::to_owned);
    let wanted = resources::location(location.after("locations"))?;
    resource_groups::require_subscription(app, &location.subscription()).await?;
    let mut session = app.store.read().await?;
    let mut found = Vec::new();
    loop {
        let page = session
            .deleted_resources(&TYPE.to_lowercase(), &prefix, after.as_deref(), PAGE)
            .await?;
        for row in page.rows {
            if found.len() == limit {
                return Ok((found, after));
            }
            if location_of(&row) == wanted {
                found.push(shown(&row)?);
            }
            after = Some(row.key);
        }
        if !page.more {
            return Ok((found, None));
        }
    }
}

fn deletion(row: &ResourceRow) -> &serde_json::Value {
    &row.body["properties"]["deletionInfo"]
}

/// The name under which a vault is known while it is deleted: another one of the same name may have been
/// deleted before it.
fn name_of(row: &ResourceRow) -> &str {
    deletion(row)["deleteActivityId"]
        .as_str()
        .unwrap_or_default()
}

fn location_of(row: &ResourceRow) -> &str {
    row.body["location"].as_str().unwrap_or_default()
}

fn shown(row: &ResourceRow) -> Result<DeletedBackupVaultResource> {
    let info: ResourceDeletionInfo = serde_json::from_value(deletion(row).clone())
        .map_err(Error::unexpected("read when a vault was deleted"))?;
    let vault = super::document(row)?;
    let original = ResourceId::published(row.id.clone());
    let name = name_of(row).to_owned();
    let location = location_of(row);
    let id = format!(
        "{}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults/{name}",
        original.subscription()
    );
    let properties = DeletedBackupVault {
        vault: vault.properties,
        original_backup_vault_id: row.id.clone(),
        original_backup_vault_name: row.name.clone(),
        original_backup_vault_resource_path: row.id.clone(),
        resource_deletion_info: info,
    };
    Ok(Resource {
        id: Some(id),
        name: Some(name),
        resource_type: Some(DELETED_TYPE.to_owned()),
        system_data: vault.system_data,
        ..Resource::of(properties)
    })
}
