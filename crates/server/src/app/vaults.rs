//! Backup vaults: what each of their settings may become, given what it was.

mod delete;
pub mod deleted;
mod settings;
mod undelete;

use serde_json::Value;
use strongroom_api::identity::Identity;
use strongroom_api::vault::{
    BackupVault, BackupVaultPatch, BackupVaultResource, SecuritySettings, SoftDeleteState,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::guard::CriticalOperation;
use strongroom_core::name::{self, NameKind};

use super::resources::{self, Terms, Written};
use super::{App, ResourceId, Result, guards, immutability, resource_groups};
use crate::store::{ResourceRow, Session};

pub use self::delete::{delete, purge};
pub use self::settings::{
    ALERT_STATES, CROSS_REGION_STATES, CROSS_SUBSCRIPTION_STATES, SOFT_DELETE_DAYS,
};
use self::settings::{DEFAULT_SOFT_DELETE_DAYS, check_storage, complete};
use self::undelete::undelete;

/// Published type of a vault.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults";

/// Most resources below a vault that one delete removes.
const MAX_DESCENDANTS: usize = 10_000;

/// Writes a vault.
///
/// With `deleted` (the id of a deleted vault) that one is brought back, and then written as any other.
pub async fn put(
    app: &App,
    id: &ResourceId,
    mut vault: BackupVaultResource,
    deleted: Option<&str>,
    terms: &Terms,
) -> Result<Written<BackupVault>> {
    resources::check_name(NameKind::BackupVault, id)?;
    let mut session = app.store.begin().await?;
    let id = resource_groups::within(&mut *session, id).await?;
    let found = session.resource(&id.key()).await?;
    let comes_back = found.is_none() && deleted.is_some();
    let row = match (found, deleted) {
        (None, Some(deleted)) => Some(undelete(&mut *session, &id, deleted).await?),
        (row, _) => row,
    };
    terms.check(row.as_ref())?;
    let old = row.as_ref().map(document).transpose()?;
    if let Some(old) = old.as_ref().filter(|_| comes_back) {
        // What a deleted vault shows of itself has neither.
        vault.tags = vault.tags.or_else(|| old.tags.clone());
        vault.identity = vault.identity.or_else(|| old.identity.clone());
    }
    vault.location = Some(match &old {
        Some(old) => resources::same_location(&id, old, vault.location.as_deref())?,
        None => resources::location(vault.location.as_deref())?,
    });
    vault.identity = identity(
        app,
        vault.identity,
        old.as_ref().and_then(|old| old.identity.as_ref()),
    );
    check_storage(&vault.properties, old.as_ref().map(|old| &old.properties))?;
    complete(
        &mut vault.properties,
        old.as_ref().map(|old| &old.properties),
    )?;
    if let Some(old) = &old {
        require_approval(
            app,
            &mut *session,
            &id,
            (&old.properties, &vault.properties),
            terms,
        )
        .await?;
    }
    let written = resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &vault,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    session.commit().await?;
    Ok(written)
}

/// Changes what the patch names.
pub async fn patch(
    app: &App,
    id: &ResourceId,
    patch: BackupVaultPatch,
    terms: &Terms,
) -> Result<Written<BackupVault>> {
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    terms.check(Some(&row))?;
    let old = document(&row)?;
    let mut vault = old.clone();
    if let Some(tags) = patch.tags {
        vault.tags = Some(tags);
    }
    if patch.identity.is_some() {
        vault.identity = identity(app, patch.identity, old.identity.as_ref());
    }
    if let Some(changes) = patch.properties {
        let properties = &mut vault.properties;
        replace(
            &mut properties.monitoring_settings,
            changes.monitoring_settings,
        );
        replace(
            &mut properties.cost_management_settings,
            changes.cost_management_settings,
        );
        replace(
            &mut properties.resource_guard_operation_requests,
            changes.resource_guard_operation_requests,
        );
        if let Some(changed) = changes.security_settings {
            let settings = properties.security_settings.get_or_insert_default();
            merge_security(settings, changed);
        }
        if let Some(changed) = changes.feature_settings {
            let settings = properties.feature_settings.get_or_insert_default();
            replace(
                &mut settings.cross_subscription_restore_settings,
                changed.cross_subscription_restore_settings,
            );
            replace(
                &mut settings.cross_region_restore_settings,
                changed.cross_region_restore_settings,
            );
        }
    }
    complete(&mut vault.properties, Some(&old.properties))?;
    let id = ResourceId::published(row.id.clone());
    let change = (&old.properties, &vault.properties);
    require_approval(app, &mut *session, &id, change, terms).await?;
    let written =
        resources::write(app, &mut *session, &id, TYPE, &vault, Some(&row), &terms.by).await?;
    session.commit().await?;
    Ok(written)
}

/// Asks the guard of a vault, if it has one, for what a change takes away.
async fn require_approval(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    (old, new): (&BackupVault, &BackupVault),
    terms: &Terms,
) -> Result<()> {
    let kept = |vault: &BackupVault| soft_delete_days(vault).unwrap_or(0);
    let is_always = |vault: &BackupVault| {
        let security = vault.security_settings.as_ref();
        let settings = security.and_then(|security| security.soft_delete_settings.as_ref());
        settings.and_then(|settings| settings.state) == Some(SoftDeleteState::AlwaysOn)
    };
    let is_on = |vault: &BackupVault| immutability::of(vault).is_on();
    let mut asked = Vec::new();
    if kept(new) < kept(old) || (is_always(old) && !is_always(new)) {
        asked.push(CriticalOperation::ReduceSoftDelete);
    }
    if is_on(old) && !is_on(new) {
        asked.push(CriticalOperation::ReduceImmutability);
    }
    for operation in asked {
        guards::require(app, session, id, operation, id.as_str(), terms).await?;
    }
    Ok(())
}

/// Each setting that the change names, and no other: `state` alone leaves the days as they are.
fn merge_security(settings: &mut SecuritySettings, changed: SecuritySettings) {
    if let Some(changed) = changed.soft_delete_settings {
        let settings = settings.soft_delete_settings.get_or_insert_default();
        replace(&mut settings.state, changed.state);
        replace(
            &mut settings.retention_duration_in_days,
            changed.retention_duration_in_days,
        );
    }
    if let Some(changed) = changed.immutability_settings {
        let settings = settings.immutability_settings.get_or_insert_default();
        replace(&mut settings.state, changed.state);
    }
    match (
        &mut settings.encryption_settings,
        changed.encryption_settings,
    ) {
        (Some(Value::Object(settings)), Some(Value::Object(changed))) => settings.extend(changed),
        (settings, changed) => replace(settings, changed),
    }
}

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// One vault.
pub async fn get(app: &App, id: &ResourceId) -> Result<BackupVaultResource> {
    document(&resources::existing(&mut *app.store.read().await?, id).await?)
}

/// The vaults of a group or a subscription.
pub async fn list(
    app: &App,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<BackupVaultResource>, Option<String>)> {
    resource_groups::list_within(app, TYPE, scope, after, limit).await
}

/// The row of the vault that something lies in, or 404.
pub async fn require(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    resources::existing(session, id).await
}

/// For how many days a vault keeps what is deleted in it; none when a delete is final.
#[must_use]
pub fn soft_delete_days(vault: &BackupVault) -> Option<i64> {
    let security = vault.security_settings.as_ref();
    let settings = security.and_then(|security| security.soft_delete_settings.as_ref())?;
    if settings.state == Some(SoftDeleteState::Off) {
        return None;
    }
    let days = settings
        .retention_duration_in_days
        .unwrap_or(DEFAULT_SOFT_DELETE_DAYS);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number of at most 180, checked when it was written"
    )]
    Some(days as i64)
}

/// Why a vault of this name cannot be made in a group: the published reason, and words.
pub async fn why_not_available(
    app: &App,
    group: &ResourceId,
    name: &str,
) -> Result<Option<(&'static str, String)>> {
    if let Err(invalid) = name::check(NameKind::BackupVault, name) {
        return Ok(Some(("Invalid", invalid.to_string())));
    }
    let id = format!("{group}/providers/{TYPE}/{name}");
    let key = ResourceId::published(id).key();
    let mut session = app.store.read().await?;
    if session.resource(&key).await?.is_some() {
        let message = format!("The group has a vault '{name}' already.");
        return Ok(Some(("AlreadyExists", message)));
    }
    if session.deleted_resource(&key).await?.is_some() {
        let message = format!("A deleted vault '{name}' can still be brought back.");
        return Ok(Some(("AlreadyExists", message)));
    }
    Ok(None)
}

/// Refuses unless Cross Region Restore is turned on for a vault.
pub async fn require_cross_region_restore(app: &App, id: &ResourceId) -> Result<()> {
    let vault = get(app, id).await?.properties;
    let features = vault.feature_settings.as_ref();
    let setting = features.and_then(|features| features.cross_region_restore_settings.as_ref());
    if setting.is_some_and(|setting| setting.state.as_deref() == Some("Enabled")) {
        return Ok(());
    }
    let message = format!("Cross Region Restore is not turned on for the vault '{id}'.");
    Err(
        Problem::new(Code::UserErrorCrossRegionRestoreNotEnabled, message)
            .at(id.as_str())
            .into(),
    )
}

/// The document of a vault's row.
pub fn document(row: &ResourceRow) -> Result<BackupVaultResource> {
    resources::document(row, TYPE)
}

/// The identity as it is stored: a system-assigned one gets its ids once and keeps them.
fn identity(app: &App, given: Option<Identity>, old: Option<&Identity>) -> Option<Identity> {
    let mut identity = given?;
    let system = identity.identity_type.as_deref().is_some_and(|kinds| {
        kinds
            .split(',')
            .any(|kind| kind.trim().eq_ignore_ascii_case("SystemAssigned"))
    });
    identity.principal_id = system.then(|| {
        old.and_then(|old| old.principal_id.clone())
            .unwrap_or_else(|| app.new_id().to_string())
    });
    identity.tenant_id = system.then(|| app.tenant_id.to_string());
    Some(identity)
}

/// A vault document for tests.
#[cfg(test)]
pub(crate) fn example() -> serde_json::Value {
    serde_json::json!({
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}]
        }
    })
}
