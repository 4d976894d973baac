//! `Restore`: the vault asks the extension to validate or carry out a restore.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strongroom_core::restore::RestoreCriteria;
use uuid::Uuid;

use super::job_status::JobStatus;
use super::schema;

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestoreMode {
    /// Compute and store the plan; change nothing.
    Validate,
    /// Carry it out.
    Apply,
}

/// Which recovery point is to be restored, and how. Immutable: a changed wish is another job.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "Restore",
    plural = "restores",
    shortname = "srr",
    category = "strongroom",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "A restore job of a vault: validates or carries out a restore into this cluster.",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mode"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Step","type":"string","jsonPath":".status.step"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self == oldSelf", "message": "a job's spec is immutable"}
]))]
pub struct RestoreSpec {
    /// The vault's job.
    #[schemars(schema_with = "schema::uuid")]
    pub job_id: Uuid,
    /// The recovery point to restore from.
    #[schemars(schema_with = "schema::uuid")]
    pub recovery_point_id: Uuid,
    /// The backup instance's resource id.
    #[schemars(length(min = 1, max = 2048))]
    pub backup_instance_id: String,
    /// Whether anything is changed.
    pub mode: RestoreMode,
    /// Which objects, into which namespaces, and what to do about those that are there.
    #[schemars(schema_with = "schema::object")]
    pub criteria: RestoreCriteria,
    /// The job's secrets, sealed to the extension's public key for this one custom resource.
    #[schemars(length(min = 1, max = 131072))]
    pub sealed: String,
    /// The digest of the plan that was shown to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub plan_digest: Option<String>,
    /// When the vault gives the job up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub deadline: Option<Timestamp>,
}
