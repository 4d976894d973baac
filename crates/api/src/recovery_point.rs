//! `…/backupInstances/recoveryPoints`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::object_type::by_object_type;

/// `AzureBackupRecoveryPointResource`.
pub type RecoveryPointResource = Resource<RecoveryPoint>;

by_object_type! {
    /// `AzureBackupRecoveryPoint`.
    #[schemars(rename = "AzureBackupRecoveryPoint")]
    pub enum RecoveryPoint {
        /// A point in time (the only kind there is).
        AzureBackupDiscreteRecoveryPoint(AzureBackupDiscreteRecoveryPoint),
    }
}

/// `AzureBackupDiscreteRecoveryPoint`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureBackupDiscreteRecoveryPoint {
    /// What people call it.
    pub friendly_name: Option<String>,
    /// In which tiers it is.
    pub recovery_point_data_stores_details: Option<Vec<RecoveryPointDataStoreDetails>>,
    /// The time that a restore brings back.
    pub recovery_point_time: Timestamp,
    /// The policy at that time.
    pub policy_name: Option<String>,
    /// Its version at that time.
    pub policy_version: Option<String>,
    /// Its id, as restore requests name it.
    pub recovery_point_id: Option<String>,
    /// `Incremental` for Kubernetes.
    pub recovery_point_type: Option<String>,
    /// The tag that says how long it is kept.
    pub retention_tag_name: Option<String>,
    /// Its version.
    pub retention_tag_version: Option<String>,
    /// Read-only: when it goes.
    pub expiry_time: Option<Timestamp>,
    /// Read-only: all, or only part of what was to be taken.
    pub recovery_point_state: Option<RecoveryPointCompletionState>,
    /// Ours: BLAKE3 of the sealed manifest.
    pub manifest_digest: Option<String>,
    /// Ours: objects in it.
    pub object_count: Option<u64>,
    /// Ours: bytes of them before compression.
    pub size_in_bytes: Option<u64>,
    /// Ours: bytes that had to be stored anew.
    pub new_bytes: Option<u64>,
    /// Ours: volume snapshots in it.
    pub volumes: Option<u64>,
    /// Ours: groups of them that hold one instant each; absent when there are none.
    pub volume_groups: Option<u64>,
    /// Ours: the job that made it.
    pub job_id: Option<String>,
    /// Ours: `cut at R` or `smeared from A to B (types)`: how consistent in time it is.
    pub consistency: Option<String>,
    /// Ours: the cluster as it was when the objects were read. Its types are told of one point, not
    /// in lists.
    pub cluster: Option<ClusterAtBackup>,
    /// Ours: what the last verification found; absent until there was one. It lists the first few
    /// problems, the operation's own result more.
    pub verification: Option<Verification>,
}

/// Ours: the cluster that a recovery point was made of, as it was at that time.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAtBackup {
    /// Version of its API server, as in `v1.36.3`.
    pub version: Option<String>,
    /// What it ran on, as in `linux/amd64`.
    pub platform: Option<String>,
    /// The types that it served, by name; absent in lists.
    pub served_types: Option<Vec<ServedType>>,
}

/// Ours: one type that a cluster served, whether or not the recovery point holds objects of it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServedType {
    /// As in `deployments.apps`; the plural alone in the core group.
    pub resource: String,
    /// The version that the API server preferred.
    pub preferred_version: String,
    /// All versions in which it was served, the preferred one first.
    pub served_versions: Vec<String>,
    /// The version in which its objects are in the recovery point, when there are any: for custom
    /// types the one that the cluster stored them in. A restore needs a cluster that serves it.
    pub held_version: Option<String>,
}

/// Ours: what the verification of a recovery point found, also the result of the operation.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The recovery point's id.
    pub recovery_point_id: String,
    /// Is it what was written?
    pub state: VerificationState,
    /// When the verification ended.
    pub verified_time: Timestamp,
    /// Objects whose content was read and compared.
    #[serde(default)]
    pub entries: u64,
    /// Bytes of their content.
    #[serde(default)]
    pub bytes: u64,
    /// Stored packs read.
    #[serde(default)]
    pub packs: u64,
    /// Number of problems.
    #[serde(default)]
    pub problem_count: u64,
    /// The first of them.
    pub problems: Option<Vec<VerificationProblem>>,
}

/// Ours: the verdict of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerificationState {
    /// Every byte is as it was written.
    Whole,
    /// Something is not.
    Damaged,
}

/// Ours: one thing that is not as it was written.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationProblem {
    /// Its code.
    pub code: String,
    /// What is damaged.
    pub object: String,
    /// How.
    pub message: String,
    /// What to do.
    pub recommended_action: Option<Vec<String>>,
}

/// `RecoveryPointCompletionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecoveryPointCompletionState {
    /// All that was to be taken.
    Completed,
    /// Not all: see the job's warnings.
    Partial,
}

/// `RecoveryPointDataStoreDetails`: a recovery point in one tier.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPointDataStoreDetails {
    /// When it came there.
    pub creation_time: Option<Timestamp>,
    /// When it goes from there.
    pub expiry_time: Option<Timestamp>,
    /// The tier's id.
    pub id: Option<String>,
    /// Opaque.
    pub meta_data: Option<String>,
    /// For example `COMMITTED`.
    pub state: Option<String>,
    /// `OperationalStore` or `VaultStore`.
    #[serde(rename = "type")]
    pub store_type: Option<String>,
    /// May it be chosen?
    pub visible: Option<bool>,
    /// Read-only, archive only.
    pub rehydration_expiry_time: Option<Timestamp>,
    /// Read-only, archive only.
    pub rehydration_status: Option<String>,
}
