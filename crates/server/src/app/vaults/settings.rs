//! What the settings of a vault may be, given what they were: pure checks, and what is filled in.

use strongroom_api::vault::{
    BackupVault, DataStoreType, FeatureSettings, SecuritySettings, SoftDeleteState,
    StorageRedundancy,
};
use strongroom_core::error::{Code, Problem};

use crate::app::immutability;

/// Published range of `retentionDurationInDays`; source:
/// <https://learn.microsoft.com/azure/backup/backup-azure-enhanced-soft-delete-about>
pub const SOFT_DELETE_DAYS: std::ops::RangeInclusive<f64> = 14.0..=180.0;

/// States of alerts (`AlertsState`).
pub const ALERT_STATES: [&str; 2] = ["Enabled", "Disabled"];

/// States of restores into another subscription (`CrossSubscriptionRestoreState`).
pub const CROSS_SUBSCRIPTION_STATES: [&str; 3] = ["Disabled", "PermanentlyDisabled", "Enabled"];

/// States of restores from another region (`CrossRegionRestoreState`).
pub const CROSS_REGION_STATES: [&str; 2] = ["Disabled", "Enabled"];

/// Days of soft delete when nothing is said: the published default.
pub(super) const DEFAULT_SOFT_DELETE_DAYS: f64 = 14.0;

/// Where [`CROSS_SUBSCRIPTION_STATES`] are.
const CROSS_SUBSCRIPTION: &str = "properties.featureSettings.crossSubscriptionRestoreSettings";

/// The state that cannot be left; source:
/// <https://learn.microsoft.com/azure/backup/tutorial-cross-region-restore#cross-subscription-restore>
const FOR_GOOD: &str = "PermanentlyDisabled";

fn invalid(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequestContent, message).at(target)
}

fn fixed(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::PropertyChangeNotAllowed, message).at(target)
}

/// Storage settings are needed at the first write and never change.
pub(super) fn check_storage(
    new: &BackupVault,
    old: Option<&BackupVault>,
) -> std::result::Result<(), Problem> {
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
pub(super) fn complete(
    new: &mut BackupVault,
    old: Option<&BackupVault>,
) -> std::result::Result<(), Problem> {
    let mut security = new.security_settings.take().unwrap_or_default();
    let old_security = old
        .and_then(|old| old.security_settings.clone())
        .unwrap_or_default();
    check_soft_delete(&mut security, &old_security)?;
    immutability::change(&mut security, &old_security)?;
    new.security_settings = Some(security);
    check_features(new, old.and_then(|old| old.feature_settings.as_ref()))?;
    check_states(new, old.and_then(|old| old.feature_settings.as_ref()))?;
    new.provisioning_state = Some("Succeeded".to_owned());
    new.resource_move_state = Some("Unknown".to_owned());
    new.resource_move_details = None;
    let is_guarded = old.and_then(|old| old.is_vault_protected_by_resource_guard);
    new.is_vault_protected_by_resource_guard = Some(is_guarded.unwrap_or(false));
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

/// Refuses states that there are not, and to take back what is for good.
fn check_states(
    new: &mut BackupVault,
    old: Option<&FeatureSettings>,
) -> std::result::Result<(), Problem> {
    let features = new.feature_settings.get_or_insert_default();
    if features.cross_subscription_restore_settings.is_none() {
        let kept = old.and_then(|old| old.cross_subscription_restore_settings.clone());
        features.cross_subscription_restore_settings = kept;
    }
    let monitoring = new.monitoring_settings.as_ref();
    let alerts = monitoring.and_then(|own| own.azure_monitor_alert_settings.as_ref());
    let features = new.feature_settings.as_ref();
    let abroad = |own: Option<&FeatureSettings>| {
        let settings = own.and_then(|own| own.cross_subscription_restore_settings.clone());
        settings.and_then(|settings| settings.state)
    };
    let (was, is) = (abroad(old), abroad(features));
    for (target, given, known) in [
        (
            "properties.monitoringSettings.azureMonitorAlertSettings.alertsForAllJobFailures",
            alerts.and_then(|own| own.alerts_for_all_job_failures.as_deref()),
            &ALERT_STATES[..],
        ),
        (
            CROSS_SUBSCRIPTION,
            is.as_deref(),
            &CROSS_SUBSCRIPTION_STATES,
        ),
    ] {
        if let Some(given) = given.filter(|given| !known.contains(given)) {
            let known = known.join(", ");
            let message = format!("the state is '{given}', but must be one of {known}.");
            return Err(invalid(target, message));
        }
    }
    if was.as_deref() == Some(FOR_GOOD) && is.as_deref() != Some(FOR_GOOD) {
        return Err(fixed(
            CROSS_SUBSCRIPTION,
            "Cross Subscription Restore is PermanentlyDisabled and stays so.",
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
