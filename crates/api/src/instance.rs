//! `Microsoft.DataProtection/backupVaults/backupInstances`: one protected cluster, and the
//! requests that act on it (validate, back up, suspend, stop).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::error::UserFacingError;
use crate::identity::IdentityDetails;
use crate::object_type::by_object_type;
use crate::policy::Empty;
use crate::vault::DataStoreType;

/// `BackupInstanceResource`.
pub type BackupInstanceResource = Resource<BackupInstance>;

/// `BackupInstance`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupInstance {
    /// What people call it.
    pub friendly_name: Option<String>,
    /// The cluster.
    pub data_source_info: Datasource,
    /// The parent of the datasource; for a cluster the cluster itself.
    pub data_source_set_info: Option<DatasourceSet>,
    /// The policy and how this instance uses it.
    pub policy_info: PolicyInfo,
    /// Approvals of critical operations by a resource guard.
    pub resource_guard_operation_requests: Option<Vec<String>>,
    /// Read-only.
    pub protection_status: Option<ProtectionStatusDetails>,
    /// Read-only.
    pub current_protection_state: Option<CurrentProtectionState>,
    /// Read-only: why it is not protected.
    pub protection_error_details: Option<UserFacingError>,
    /// Read-only.
    pub provisioning_state: Option<String>,
    /// Not used for clusters; `null` is accepted.
    pub datasource_auth_credentials: Option<serde_json::Value>,
    /// How much a PUT checks.
    pub validation_type: Option<ValidationType>,
    /// Which identity it acts with.
    pub identity_details: Option<IdentityDetails>,
    /// `BackupInstance`.
    pub object_type: String,
    /// Ours, read-only: what the policy's schedule does with this instance.
    pub schedule_status: Option<ScheduleStatus>,
    /// Read-only, of a deleted instance (`DeletedBackupInstance`): until when it can be brought back.
    pub deletion_info: Option<DeletionInfo>,
}

/// `DeletionInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionInfo {
    /// When it was deleted.
    pub deletion_time: Option<Timestamp>,
    /// Nothing is billed here: when it is gone for good.
    pub billing_end_date: Option<Timestamp>,
    /// When it is gone for good.
    pub scheduled_purge_time: Option<Timestamp>,
    /// Correlates log lines. The published name has these capital letters.
    #[serde(rename = "deleteActivityID")]
    pub delete_activity_id: Option<String>,
}

/// `DeletedBackupInstanceResource`.
pub type DeletedBackupInstanceResource = Resource<BackupInstance>;

/// `SyncBackupInstanceRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncBackupInstanceRequest {
    /// Only after a failure, or always.
    pub sync_type: Option<SyncType>,
}

/// `SyncType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SyncType {
    /// What failed is tried again.
    #[default]
    Default,
    /// It is set up again, failed or not.
    ForceResync,
}

/// Ours: what the policy's schedule does with an instance.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// What it does now.
    pub state: ScheduleState,
    /// When the next backup is due; of one that is due already, when it became so.
    pub next_backup_time: Option<Timestamp>,
    /// The last moment of the schedule for which a backup was started, or could not be.
    pub last_scheduled_time: Option<Timestamp>,
    /// The job of that moment.
    pub last_job_id: Option<String>,
    /// Why it is so.
    pub message: Option<String>,
}

/// Ours: what a schedule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScheduleState {
    /// The policy has no schedule.
    #[default]
    OnDemandOnly,
    /// It waits for its next moment.
    Waiting,
    /// A backup is due, and starts as soon as it can.
    Due,
    /// Its repetitions are used up.
    Ended,
    /// The instance is not protected, or its schedule is suspended.
    Suspended,
}

/// `Datasource`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Datasource {
    /// `Microsoft.ContainerService/managedClusters` (for Arc clusters too).
    pub datasource_type: Option<String>,
    /// `Datasource`.
    pub object_type: Option<String>,
    /// The cluster's resource id. The published name has these capital letters.
    #[serde(rename = "resourceID")]
    pub resource_id: String,
    /// The cluster's region.
    pub resource_location: Option<String>,
    /// The cluster's name.
    pub resource_name: Option<String>,
    /// The cluster's resource type.
    pub resource_type: Option<String>,
    /// Kept as sent; the service itself sends the resource id here, or nothing.
    pub resource_uri: Option<String>,
    /// Kept as sent.
    pub resource_properties: Option<ResourceProperties>,
}

/// `DatasourceSet`; has the shape of a [`Datasource`], with `objectType` `DatasourceSet`.
pub type DatasourceSet = Datasource;

by_object_type! {
    /// `BaseResourceProperties`.
    #[schemars(rename = "BaseResourceProperties")]
    pub enum ResourceProperties {
        /// The only kind there is.
        DefaultResourceProperties(Empty),
    }
}

/// `PolicyInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyInfo {
    /// The policy's resource id, in the same vault.
    pub policy_id: String,
    /// Read-only.
    pub policy_version: Option<String>,
    /// What this instance adds to the policy.
    pub policy_parameters: Option<PolicyParameters>,
}

/// `PolicyParameters`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyParameters {
    /// Where snapshots go.
    pub data_store_parameters_list: Option<Vec<DataStoreParameters>>,
    /// What is backed up.
    pub backup_datasource_parameters_list: Option<Vec<BackupDatasourceParameters>>,
}

impl PolicyParameters {
    /// The backup configuration of a cluster, when there is one.
    #[must_use]
    pub fn kubernetes(&self) -> Option<&KubernetesClusterBackupDatasourceParameters> {
        let list = self
            .backup_datasource_parameters_list
            .as_deref()
            .unwrap_or_default();
        list.iter()
            .map(|BackupDatasourceParameters::KubernetesClusterBackupDatasourceParameters(own)| own)
            .next()
    }
}

impl PolicyParameters {
    /// The id of the snapshot resource group, when one is named.
    #[must_use]
    pub fn snapshot_group(&self) -> Option<&str> {
        let list = self
            .data_store_parameters_list
            .as_deref()
            .unwrap_or_default();
        list.iter()
            .find_map(
                |DataStoreParameters::AzureOperationalStoreParameters(own)| {
                    own.resource_group_id.as_deref()
                },
            )
            .filter(|id| !id.is_empty())
    }
}

by_object_type! {
    /// `DataStoreParameters`.
    pub enum DataStoreParameters {
        /// Of the operational tier.
        AzureOperationalStoreParameters(AzureOperationalStoreParameters),
    }
}

/// `AzureOperationalStoreParameters`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureOperationalStoreParameters {
    /// Which tier this is about.
    pub data_store_type: DataStoreType,
    /// The snapshot resource group's id.
    pub resource_group_id: Option<String>,
}

by_object_type! {
    /// `BackupDatasourceParameters`, of which only the Kubernetes kind is for this datasource.
    pub enum BackupDatasourceParameters {
        /// The backup configuration of a cluster.
        KubernetesClusterBackupDatasourceParameters(KubernetesClusterBackupDatasourceParameters),
    }
}

/// `KubernetesClusterBackupDatasourceParameters`: the backup configuration.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesClusterBackupDatasourceParameters {
    /// Snapshot the volumes too.
    pub snapshot_volumes: bool,
    /// Volume kinds to take; absent: all.
    pub included_volume_types: Option<Vec<String>>,
    /// Take cluster-scoped resources.
    pub include_cluster_scope_resources: bool,
    /// Absent or `null`: all that exist now and later.
    pub included_namespaces: Option<Vec<String>>,
    /// Never taken.
    pub excluded_namespaces: Option<Vec<String>>,
    /// `group/Kind` or `plural.group`; absent: all.
    pub included_resource_types: Option<Vec<String>>,
    /// Never taken.
    pub excluded_resource_types: Option<Vec<String>>,
    /// All must fit; each in any form that `kubectl -l` takes, or `a=b;c!=d`.
    pub label_selectors: Option<Vec<String>>,
    /// `BackupHook` resources to run.
    pub backup_hook_references: Option<Vec<NamespacedNameResource>>,
    /// Ours: take Secrets. Absent means true.
    pub include_secrets: Option<bool>,
}

impl Default for KubernetesClusterBackupDatasourceParameters {
    /// What `az` sends when told nothing: everything, volumes and cluster scope included.
    fn default() -> Self {
        Self {
            snapshot_volumes: true,
            included_volume_types: None,
            include_cluster_scope_resources: true,
            included_namespaces: None,
            excluded_namespaces: None,
            included_resource_types: None,
            excluded_resource_types: None,
            label_selectors: None,
            backup_hook_references: None,
            include_secrets: None,
        }
    }
}

/// `NamespacedNameResource`: an object in a cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedNameResource {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// `ProtectionStatusDetails`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionStatusDetails {
    /// Why it is so.
    pub error_details: Option<UserFacingError>,
    /// Where it stands.
    pub status: Option<ProtectionStatus>,
}

/// `Status` of the protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Status")]
pub enum ProtectionStatus {
    /// Being set up.
    ConfiguringProtection,
    /// Could not be set up.
    ConfiguringProtectionFailed,
    /// Protected.
    ProtectionConfigured,
    /// Stopped.
    ProtectionStopped,
    /// Deleted, can be undone.
    SoftDeleted,
    /// Being deleted.
    SoftDeleting,
}

/// `CurrentProtectionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the published names are their own description")]
pub enum CurrentProtectionState {
    Invalid,
    NotProtected,
    ConfiguringProtection,
    ProtectionConfigured,
    BackupSchedulesSuspended,
    RetentionSchedulesSuspended,
    ProtectionStopped,
    ProtectionError,
    ConfiguringProtectionFailed,
    SoftDeleting,
    SoftDeleted,
    UpdatingProtection,
}

/// `ValidationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValidationType {
    /// The form only.
    ShallowValidation,
    /// As `validateForBackup`; the default.
    DeepValidation,
}

/// `ValidateForBackupRequest`: body of `POST …/validateForBackup` on a vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateForBackupRequest {
    /// The instance as it would be created.
    pub backup_instance: BackupInstance,
}

/// What a successful `validateForBackup` answers: `OperationJobExtendedInfo` and our warnings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Validated {
    /// Ours: what is worth a look, though a backup can run.
    pub warnings: Vec<UserFacingError>,
}

/// `ValidateForModifyBackupRequest`: body of `POST …/validateForModifyBackup` on an instance.
pub type ValidateForModifyBackupRequest = ValidateForBackupRequest;

/// `TriggerBackupRequest`: body of `POST …/backup` on an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerBackupRequest {
    /// Which rule, which tag.
    pub backup_rule_options: AdHocBackupRuleOptions,
}

/// `AdHocBackupRuleOptions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdHocBackupRuleOptions {
    /// A backup rule of the policy, for example `BackupHourly`.
    pub rule_name: String,
    /// Which tag.
    pub trigger_option: AdhocBackupTriggerOption,
}

/// `AdhocBackupTriggerOption`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdhocBackupTriggerOption {
    /// A retention rule of the policy; absent: `Default`.
    pub retention_tag_override: Option<String>,
}

/// `StopProtectionRequest` and `SuspendBackupRequest`; the body may be absent.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopProtectionRequest {
    /// Approvals of critical operations by a resource guard.
    pub resource_guard_operation_requests: Option<Vec<String>>,
}
