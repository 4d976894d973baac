//! `Backup`: the vault asks the extension to make one recovery point, to count what one would hold, or to
//! remove the volume snapshots of one.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strongroom_core::selection::Selection;
use strongroom_core::volumes::GivenClass;
use uuid::Uuid;

use super::job_status::JobStatus;
use super::schema;

/// What is asked for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum BackupMode {
    /// Make a recovery point.
    #[default]
    Backup,
    /// Count what it would hold, and nothing is left behind. No store is needed; where secrets lead to one, it
    /// is tried as well, and the object with the job's name that this leaves there is the vault's to remove.
    Preview,
    /// Remove every volume snapshot of the recovery point from cluster and driver, and what is known of them.
    /// No store is needed. Nothing there is success; once it has completed, none is left.
    Forget,
}

/// What is to be backed up, and where to. Immutable: a changed wish is another job.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "Backup",
    plural = "backups",
    shortname = "srb",
    category = "strongroom",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "A backup job of a vault: makes one recovery point of this cluster.",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mode"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Step","type":"string","jsonPath":".status.step"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self == oldSelf", "message": "a job's spec is immutable"},
    {"rule": "self.mode == 'Preview' || self.mode == 'Forget' || size(self.sealed) > 0", "message": "a backup needs its sealed secrets"}
]))]
pub struct BackupSpec {
    /// The vault's job.
    #[schemars(schema_with = "schema::uuid")]
    pub job_id: Uuid,
    /// What is asked for.
    #[serde(default)]
    pub mode: BackupMode,
    /// The recovery point that it makes or forgets; a preview makes none.
    #[schemars(schema_with = "schema::uuid")]
    pub recovery_point_id: Uuid,
    /// The backup instance's resource id.
    #[schemars(length(min = 1, max = 2048))]
    pub backup_instance_id: String,
    /// The backup configuration: which objects.
    #[schemars(schema_with = "schema::object")]
    pub selection: Selection,
    /// What the snapshot resource group says of drivers: with which parameters their snapshots are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::snapshot_classes")]
    pub snapshot_classes: Vec<GivenClass>,
    /// The recovery point before this one, against which unchanged objects are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_uuid")]
    pub parent_recovery_point_id: Option<Uuid>,
    /// The job's secrets, sealed to the extension's public key for this one custom resource. Empty where no
    /// store is needed.
    #[serde(default)]
    #[schemars(length(max = 131072))]
    pub sealed: String,
    /// When the vault gives the job up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub deadline: Option<Timestamp>,
}
