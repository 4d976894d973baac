//! `Microsoft.DataProtection/backupVaults`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::identity::Identity;

/// `BackupVaultResource`.
pub type BackupVaultResource = Resource<BackupVault>;

/// `BackupVault`: what a vault is set to.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupVault {
    /// Where recovery points are kept and how redundantly; fixed once set.
    pub storage_settings: Option<Vec<StorageSetting>>,
    /// Alerts.
    pub monitoring_settings: Option<MonitoringSettings>,
    /// Cost attribution; kept, without effect here.
    pub cost_management_settings: Option<serde_json::Value>,
    /// Soft delete, immutability, encryption.
    pub security_settings: Option<SecuritySettings>,
    /// Cross-subscription and cross-region restore.
    pub feature_settings: Option<FeatureSettings>,
    /// Approvals of critical operations by a resource guard.
    pub resource_guard_operation_requests: Option<Vec<String>>,
    /// Regions that hold copies.
    pub replicated_regions: Option<Vec<String>>,
    /// Read-only: `Provisioning`, `Succeeded`, `Updating`, `Failed`, `Unknown`.
    pub provisioning_state: Option<String>,
    /// Read-only: `Unknown`, `InProgress`, `MoveSucceeded`, …
    pub resource_move_state: Option<String>,
    /// Read-only: the last move.
    pub resource_move_details: Option<serde_json::Value>,
    /// Read-only.
    pub is_vault_protected_by_resource_guard: Option<bool>,
    /// Read-only: `None`, `Minimum`, `Adequate`, `Maximum`, `NotSupported`.
    pub secure_score: Option<String>,
    /// Read-only: `Poor`, `Fair`, `Good`, `Excellent`, `NotSupported`.
    pub bcdr_security_level: Option<String>,
}

/// `DeletedBackupVaultResource`.
pub type DeletedBackupVaultResource = Resource<DeletedBackupVault>;

/// `DeletedBackupVault`: a vault that was deleted with deleted instances in it, and can be brought back.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedBackupVault {
    /// What it was set to.
    #[serde(flatten)]
    pub vault: BackupVault,
    /// Its id while it was there.
    pub original_backup_vault_id: String,
    /// Its name while it was there.
    pub original_backup_vault_name: String,
    /// Where it was.
    pub original_backup_vault_resource_path: String,
    /// Until when it can be brought back.
    pub resource_deletion_info: ResourceDeletionInfo,
}

/// `ResourceDeletionInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDeletionInfo {
    /// When it was deleted.
    pub deletion_time: Option<Timestamp>,
    /// When it is gone for good.
    pub scheduled_purge_time: Option<Timestamp>,
    /// Correlates log lines.
    pub delete_activity_id: Option<String>,
}

/// `PatchResourceRequestInput`: the body of a vault PATCH. Absent fields stay as they are.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PatchResourceRequestInput")]
pub struct BackupVaultPatch {
    /// Replaces the identity.
    pub identity: Option<Identity>,
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// What changes.
    pub properties: Option<BackupVaultPatchProperties>,
}

/// `PatchBackupVaultInput`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PatchBackupVaultInput")]
pub struct BackupVaultPatchProperties {
    /// Alerts.
    pub monitoring_settings: Option<MonitoringSettings>,
    /// Soft delete, immutability, encryption.
    pub security_settings: Option<SecuritySettings>,
    /// Cross-subscription and cross-region restore.
    pub feature_settings: Option<FeatureSettings>,
    /// Cost attribution; kept, without effect here.
    pub cost_management_settings: Option<serde_json::Value>,
    /// Approvals of critical operations by a resource guard.
    pub resource_guard_operation_requests: Option<Vec<String>>,
}

/// `StorageSetting`: one store of the vault.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSetting {
    /// Which store.
    pub datastore_type: Option<DataStoreType>,
    /// How redundant.
    #[serde(rename = "type")]
    pub redundancy: Option<StorageRedundancy>,
}

/// `DataStoreTypes` and `StorageSettingStoreTypes`: the tiers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum DataStoreType {
    /// The operational tier: in the customer's own container.
    OperationalStore,
    /// The vault tier: in the vault's own store.
    VaultStore,
    /// The archive tier (not for Kubernetes).
    ArchiveStore,
}

/// `StorageSettingTypes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StorageSettingTypes")]
pub enum StorageRedundancy {
    /// One place.
    LocallyRedundant,
    /// Several zones of a region.
    ZoneRedundant,
    /// Two regions.
    GeoRedundant,
}

/// `MonitoringSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringSettings {
    /// Alerts by the built-in monitor.
    pub azure_monitor_alert_settings: Option<AzureMonitorAlertSettings>,
}

/// `AzureMonitorAlertSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureMonitorAlertSettings {
    /// `Enabled` or `Disabled`.
    pub alerts_for_all_job_failures: Option<String>,
}

/// `SecuritySettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecuritySettings {
    /// What a delete does.
    pub soft_delete_settings: Option<SoftDeleteSettings>,
    /// Whether recovery points can be shortened or deleted.
    pub immutability_settings: Option<ImmutabilitySettings>,
    /// Customer-managed keys.
    pub encryption_settings: Option<serde_json::Value>,
}

/// `SoftDeleteSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoftDeleteSettings {
    /// On, off, or on for ever.
    pub state: Option<SoftDeleteState>,
    /// Days; the published range is 14 to 180.
    pub retention_duration_in_days: Option<f64>,
}

/// `SoftDeleteState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SoftDeleteState {
    /// A delete is final.
    Off,
    /// A delete can be undone for a while.
    On,
    /// As `On`, and never off again.
    AlwaysOn,
}

/// `ImmutabilitySettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImmutabilitySettings {
    /// Off, on, or on for ever.
    pub state: Option<ImmutabilityState>,
}

/// `ImmutabilityState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImmutabilityState {
    /// Recovery points may be shortened and deleted.
    Disabled,
    /// They may not; the setting can be taken back.
    Unlocked,
    /// They may not, for good.
    Locked,
}

/// `FeatureSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureSettings {
    /// `{"state": Enabled | Disabled | PermanentlyDisabled}`.
    pub cross_subscription_restore_settings: Option<CrossSubscriptionRestoreSettings>,
    /// `{"state": Enabled | Disabled}`.
    pub cross_region_restore_settings: Option<CrossRegionRestoreSettings>,
}

/// `CrossSubscriptionRestoreSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossSubscriptionRestoreSettings {
    /// `Enabled`, `Disabled` or `PermanentlyDisabled`.
    pub state: Option<String>,
}

/// `CrossRegionRestoreSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossRegionRestoreSettings {
    /// `Enabled` or `Disabled`.
    pub state: Option<String>,
}
