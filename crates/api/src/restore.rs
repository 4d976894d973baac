//! Restore requests: `POST …/restore` and `POST …/validateRestore` on an instance.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::identity::IdentityDetails;
use crate::instance::{Datasource, DatasourceSet, NamespacedNameResource};
use crate::object_type::by_object_type;

/// `ValidateRestoreRequestObject`: body of `POST …/validateRestore`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ValidateRestoreRequestObject")]
pub struct ValidateRestoreRequest {
    /// The restore as it would run.
    pub restore_request_object: RestoreRequest,
}

by_object_type! {
    /// `AzureBackupRestoreRequest`: body of `POST …/restore`.
    #[schemars(rename = "AzureBackupRestoreRequest")]
    pub enum RestoreRequest {
        /// From one recovery point.
        AzureBackupRecoveryPointBasedRestoreRequest(RecoveryPointBasedRestoreRequest),
        /// From one recovery point in the archive tier; read, so that it can be refused by name.
        AzureBackupRestoreWithRehydrationRequest(RecoveryPointBasedRestoreRequest),
    }
}

impl RestoreRequest {
    /// The part that both kinds have.
    #[must_use]
    pub fn request(&self) -> &RecoveryPointBasedRestoreRequest {
        match self {
            Self::AzureBackupRecoveryPointBasedRestoreRequest(request)
            | Self::AzureBackupRestoreWithRehydrationRequest(request) => request,
        }
    }
}

/// `AzureBackupRecoveryPointBasedRestoreRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AzureBackupRecoveryPointBasedRestoreRequest")]
pub struct RecoveryPointBasedRestoreRequest {
    /// The name of a recovery point of the instance.
    pub recovery_point_id: String,
    /// Where to and what.
    pub restore_target_info: RestoreTarget,
    /// From which tier.
    pub source_data_store_type: SourceDataStoreType,
    /// The resource id of the datasource that was backed up.
    pub source_resource_id: Option<String>,
    /// Approvals of critical operations by a resource guard.
    pub resource_guard_operation_requests: Option<Vec<String>>,
    /// Which identity it acts with.
    pub identity_details: Option<IdentityDetails>,
    /// Ours: restore only if the plan still is the one that was shown (its digest).
    pub plan_digest: Option<String>,
}

/// `SourceDataStoreType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SourceDataStoreType {
    /// The archive tier (not for Kubernetes).
    ArchiveStore,
    /// Snapshots (not for Kubernetes).
    SnapshotStore,
    /// The operational tier.
    OperationalStore,
    /// The vault tier.
    VaultStore,
}

by_object_type! {
    /// `RestoreTargetInfoBase`.
    #[schemars(rename = "RestoreTargetInfoBase")]
    pub enum RestoreTarget {
        /// With criteria: what clients of the Kubernetes datasource send.
        ItemLevelRestoreTargetInfo(ItemLevelRestoreTargetInfo),
        /// All of it.
        RestoreTargetInfo(RestoreTargetInfo),
    }
}

impl RestoreTarget {
    /// The cluster to restore to.
    #[must_use]
    pub fn datasource(&self) -> &Datasource {
        match self {
            Self::ItemLevelRestoreTargetInfo(target) => &target.datasource_info,
            Self::RestoreTargetInfo(target) => &target.datasource_info,
        }
    }
}

/// `ItemLevelRestoreTargetInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemLevelRestoreTargetInfo {
    /// What to restore; for Kubernetes one of a cluster, and beside it any number of those for volumes.
    pub restore_criteria: Vec<RestoreCriteria>,
    /// The cluster to restore to.
    pub datasource_info: Datasource,
    /// The parent of the datasource; for a cluster the cluster itself.
    pub datasource_set_info: Option<DatasourceSet>,
    /// Not used for clusters; `null` is accepted.
    pub datasource_auth_credentials: Option<serde_json::Value>,
    /// `FailIfExists`: the only published value; what exists is up to the conflict policy.
    pub recovery_option: String,
    /// The target's region.
    pub restore_location: Option<String>,
}

/// `RestoreTargetInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTargetInfo {
    /// The cluster to restore to.
    pub datasource_info: Datasource,
    /// The parent of the datasource; for a cluster the cluster itself.
    pub datasource_set_info: Option<DatasourceSet>,
    /// Not used for clusters; `null` is accepted.
    pub datasource_auth_credentials: Option<serde_json::Value>,
    /// `FailIfExists`.
    pub recovery_option: String,
    /// The target's region.
    pub restore_location: Option<String>,
}

by_object_type! {
    /// `ItemLevelRestoreCriteria`, of which only the Kubernetes kinds are for this datasource.
    #[schemars(rename = "ItemLevelRestoreCriteria")]
    pub enum RestoreCriteria {
        /// From the operational tier.
        KubernetesClusterRestoreCriteria(KubernetesClusterRestoreCriteria),
        /// From the vault tier.
        KubernetesClusterVaultTierRestoreCriteria(KubernetesClusterVaultTierRestoreCriteria),
        /// A claim that gets its data back; with one or more of these, no other claim does.
        KubernetesPVRestoreCriteria(KubernetesPvRestoreCriteria),
        /// The class of the claims that a provisioner served.
        KubernetesStorageClassRestoreCriteria(KubernetesStorageClassRestoreCriteria),
    }
}

impl RestoreCriteria {
    /// What both tiers say of a cluster; none for what speaks of volumes only.
    #[must_use]
    pub fn cluster(&self) -> Option<&KubernetesClusterRestoreCriteria> {
        match self {
            Self::KubernetesClusterRestoreCriteria(criteria) => Some(criteria),
            Self::KubernetesClusterVaultTierRestoreCriteria(vault) => Some(&vault.criteria),
            Self::KubernetesPVRestoreCriteria(_)
            | Self::KubernetesStorageClassRestoreCriteria(_) => None,
        }
    }
}

/// `KubernetesClusterRestoreCriteria`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesClusterRestoreCriteria {
    /// Restore cluster-scoped resources.
    pub include_cluster_scope_resources: bool,
    /// Absent or `null`: all in the recovery point.
    pub included_namespaces: Option<Vec<String>>,
    /// Never restored.
    pub excluded_namespaces: Option<Vec<String>>,
    /// Absent: all.
    pub included_resource_types: Option<Vec<String>>,
    /// Never restored.
    pub excluded_resource_types: Option<Vec<String>>,
    /// All must fit.
    pub label_selectors: Option<Vec<String>>,
    /// With or without the volumes' data.
    pub persistent_volume_restore_mode: Option<PersistentVolumeRestoreMode>,
    /// What to do with what exists; absent: `Skip`.
    pub conflict_policy: Option<ConflictPolicy>,
    /// Old namespace to new.
    pub namespace_mappings: Option<BTreeMap<String, String>>,
    /// `RestoreHook` resources to run.
    pub restore_hook_references: Option<Vec<NamespacedNameResource>>,
    /// A ConfigMap with rules that change resources on their way.
    pub resource_modifier_reference: Option<NamespacedNameResource>,
    /// Ours: restore Secrets. Absent means true.
    pub include_secrets: Option<bool>,
    /// Ours: old storage class to new, for claims and for the claims that StatefulSets describe.
    pub storage_class_mappings: Option<BTreeMap<String, String>>,
    /// Ours: `namespace/claim` in the recovery point to the size that its volume gets, as in `20Gi`.
    pub volume_sizes: Option<BTreeMap<String, String>>,
}

/// `KubernetesPVRestoreCriteria`: a claim that gets its data back.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "KubernetesPVRestoreCriteria")]
pub struct KubernetesPvRestoreCriteria {
    /// The claim's name.
    pub name: Option<String>,
    /// The class that it gets; absent: the one that it has.
    pub storage_class_name: Option<String>,
    /// Ours: the claim's namespace in the recovery point; absent: the claims of this name in all of them.
    pub namespace: Option<String>,
}

/// `KubernetesStorageClassRestoreCriteria`: the class of the claims that a provisioner served.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesStorageClassRestoreCriteria {
    /// The class that they get.
    pub selected_storage_class_name: Option<String>,
    /// The provisioner; absent: whichever it was.
    pub provisioner: Option<String>,
}

/// `KubernetesClusterVaultTierRestoreCriteria`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesClusterVaultTierRestoreCriteria {
    /// As from the operational tier.
    #[serde(flatten)]
    pub criteria: KubernetesClusterRestoreCriteria,
    /// Where volumes are staged.
    pub staging_resource_group_id: Option<String>,
    /// Where resources are staged.
    pub staging_storage_account_id: Option<String>,
}

/// `ExistingResourcePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExistingResourcePolicy")]
pub enum ConflictPolicy {
    /// Leave what exists.
    #[default]
    Skip,
    /// Bring what exists to what was backed up.
    Patch,
}

/// `PersistentVolumeRestoreMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PersistentVolumeRestoreMode {
    /// The volumes and what is on them.
    RestoreWithVolumeData,
    /// The claims alone.
    RestoreWithoutVolumeData,
}
