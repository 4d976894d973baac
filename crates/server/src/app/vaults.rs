//! Backup vaults: what each of their settings may become, given what it was.

use strongroom_api::identity::Identity;
use strongroom_api::vault::{
    BackupVault, BackupVaultPatch, BackupVaultResource, DataStoreType, FeatureSettings,
    ImmutabilityState, SecuritySettings, SoftDeleteState, StorageRedundancy,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;

use super::resources::{self, Preconditions, Written};
use super::{App, ResourceId, Result, instances, resource_groups};
use crate::store::{ResourceRow, Session};

/// Published type of a vault.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults";

/// Published range of `retentionDurationInDays`; source:
/// <https://learn.microsoft.com/azure/backup/backup-azure-enhanced-soft-delete-about>
const SOFT_DELETE_DAYS: std::ops::RangeInclusive<f64> = 14.0..=180.0;

/// Days of soft delete when nothing is said: the published default.
const DEFAULT_SOFT_DELETE_DAYS: f64 = 14.0;

/// Most resources below a vault that one delete removes.
const MAX_DESCENDANTS: usize = 10_000;

/// Writes a vault.
pub async fn put(
    app: &App,
    id: &ResourceId,
    mut vault: BackupVaultResource,
    preconditions: &Preconditions,
) -> Result<Written<BackupVault>> {
    resources::check_name(NameKind::BackupVault, id)?;
    let mut session = app.store.begin().await?;
    let id = resource_groups::within(&mut *session, id).await?;
    let row = session.resource(&id.key()).await?;
    preconditions.check(row.as_ref())?;
    let old = row.as_ref().map(document).transpose()?;
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
    let written = resources::write(app, &mut *session, &id, TYPE, &vault, row.as_ref()).await?;
    session.commit().await?;
    Ok(written)
}

/// Changes what the patch names.
pub async fn patch(
    app: &App,
    id: &ResourceId,
    patch: BackupVaultPatch,
    preconditions: &Preconditions,
) -> Result<Written<BackupVault>> {
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    preconditions.check(Some(&row))?;
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
            replace(
                &mut settings.soft_delete_settings,
                changed.soft_delete_settings,
            );
            replace(
                &mut settings.immutability_settings,
                changed.immutability_settings,
            );
            replace(
                &mut settings.encryption_settings,
                changed.encryption_settings,
            );
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
    let written = resources::write(app, &mut *session, &id, TYPE, &vault, Some(&row)).await?;
    session.commit().await?;
    Ok(written)
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
    if scope.resource_group().is_some() {
        resource_groups::require(&mut *app.store.read().await?, scope).await?;
    }
    resources::list(app, TYPE, scope, after, limit).await
}

/// Deletes a vault with its policies, unless it protects something; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, preconditions: &Preconditions) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    preconditions.check(Some(&row))?;
    let instance_kind = instances::TYPE.to_lowercase();
    let prefix = format!("{}/", row.key);
    let protected = session.resources(&instance_kind, &prefix, None, 20).await?;
    if !protected.rows.is_empty() {
        let names: Vec<String> = protected.rows.into_iter().map(|row| row.id).collect();
        return Err(resources::in_use(&row.id, &names));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    for below in session
        .descendants(&prefix, MAX_DESCENDANTS)
        .await?
        .iter()
        .rev()
    {
        session.delete_resource(&below.key).await?;
    }
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// The row of the vault that something lies in, or 404.
pub async fn require(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    resources::existing(session, id).await
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

fn invalid(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequestContent, message).at(target)
}

fn fixed(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::PropertyChangeNotAllowed, message).at(target)
}

/// Storage settings are needed at the first write and never change.
fn check_storage(new: &BackupVault, old: Option<&BackupVault>) -> std::result::Result<(), Problem> {
    let target = "properties.storageSettings";
    let settings = new.storage_settings.as_deref().unwrap_or_default();
    if settings.is_empty() {
        return Err(invalid(
            target,
            "storageSettings needs at least one store with its redundancy.",
        ));
    }
    for setting in settings {
        match (setting.datastore_type, setting.redundancy) {
            (Some(DataStoreType::ArchiveStore), _) => {
                return Err(invalid(
                    target,
                    "ArchiveStore cannot be the store of a Kubernetes vault.",
                ));
            }
            (Some(_), Some(_)) => {}
            _ => {
                return Err(invalid(
                    target,
                    "each of storageSettings needs datastoreType and type.",
                ));
            }
        }
    }
    match old {
        Some(old) if old.storage_settings != new.storage_settings => Err(fixed(
            target,
            "The storage redundancy of a vault is fixed once it is set; make another vault.",
        )),
        _ => Ok(()),
    }
}

/// Fills defaults and read-only values in, and refuses what the old settings forbid.
fn complete(new: &mut BackupVault, old: Option<&BackupVault>) -> std::result::Result<(), Problem> {
    let mut security = new.security_settings.take().unwrap_or_default();
    let old_security = old
        .and_then(|old| old.security_settings.clone())
        .unwrap_or_default();
    check_soft_delete(&mut security, &old_security)?;
    check_immutability(&mut security, &old_security)?;
    new.security_settings = Some(security);
    check_features(new, old.and_then(|old| old.feature_settings.as_ref()))?;
    new.provisioning_state = Some("Succeeded".to_owned());
    new.resource_move_state = Some("Unknown".to_owned());
    new.resource_move_details = None;
    new.is_vault_protected_by_resource_guard = Some(false);
    new.secure_score = Some("None".to_owned());
    new.bcdr_security_level = Some("Poor".to_owned());
    Ok(())
}

fn check_soft_delete(
    new: &mut SecuritySettings,
    old: &SecuritySettings,
) -> std::result::Result<(), Problem> {
    let target = "properties.securitySettings.softDeleteSettings";
    let settings = new.soft_delete_settings.get_or_insert_default();
    let old_state = old
        .soft_delete_settings
        .as_ref()
        .and_then(|settings| settings.state);
    let state = *settings
        .state
        .get_or_insert(old_state.unwrap_or(SoftDeleteState::On));
    if old_state == Some(SoftDeleteState::AlwaysOn) && state != SoftDeleteState::AlwaysOn {
        return Err(fixed(target, "Soft delete is AlwaysOn and stays so."));
    }
    let days = *settings
        .retention_duration_in_days
        .get_or_insert(DEFAULT_SOFT_DELETE_DAYS);
    if !SOFT_DELETE_DAYS.contains(&days) || days.fract() != 0.0 {
        return Err(invalid(
            target,
            format!(
                "retentionDurationInDays is {days}, but must be a whole number from 14 to 180."
            ),
        ));
    }
    Ok(())
}

fn check_immutability(
    new: &mut SecuritySettings,
    old: &SecuritySettings,
) -> std::result::Result<(), Problem> {
    let settings = new.immutability_settings.get_or_insert_default();
    let old_state = old
        .immutability_settings
        .as_ref()
        .and_then(|settings| settings.state);
    let state = *settings
        .state
        .get_or_insert(old_state.unwrap_or(ImmutabilityState::Disabled));
    if old_state == Some(ImmutabilityState::Locked) && state != ImmutabilityState::Locked {
        return Err(fixed(
            "properties.securitySettings.immutabilitySettings",
            "Immutability is Locked and stays so.",
        ));
    }
    Ok(())
}

fn check_features(
    new: &mut BackupVault,
    old: Option<&FeatureSettings>,
) -> std::result::Result<(), Problem> {
    let target = "properties.featureSettings.crossRegionRestoreSettings";
    let state = |settings: Option<&FeatureSettings>| {
        settings
            .and_then(|settings| settings.cross_region_restore_settings.as_ref())
            .and_then(|setting| setting.state.clone())
    };
    let features = new.feature_settings.get_or_insert_default();
    if state(Some(features)).is_none()
        && let Some(kept) = old.and_then(|old| old.cross_region_restore_settings.clone())
    {
        features.cross_region_restore_settings = Some(kept);
    }
    let (was, is) = (state(old), state(Some(features)));
    match is.as_deref() {
        None | Some("Disabled") if was.as_deref() == Some("Enabled") => Err(fixed(
            target,
            "Cross Region Restore cannot be turned off once it is on.",
        )),
        None | Some("Disabled") => Ok(()),
        Some("Enabled") => {
            let geo = new
                .storage_settings
                .iter()
                .flatten()
                .any(|setting| setting.redundancy == Some(StorageRedundancy::GeoRedundant));
            if geo {
                Ok(())
            } else {
                Err(invalid(
                    target,
                    "Cross Region Restore needs a vault with GeoRedundant storage.",
                ))
            }
        }
        Some(other) => Err(invalid(
            target,
            format!("state is '{other}', but must be 'Enabled' or 'Disabled'."),
        )),
    }
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
