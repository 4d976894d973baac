//! The status of a job's custom resource, the same for a Backup and a Restore.
//!
//! State and step are apart: the state says how the job stands, the step what is being done. Counts
//! only: findings and per-object outcomes are in the stored report, never in the custom resource.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// How a job stands.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum JobState {
    /// Not yet taken by an extension.
    #[default]
    Pending,
    /// An extension works on it.
    Running,
    /// Done, all of it.
    Completed,
    /// Done, with findings that the report names.
    CompletedWithWarnings,
    /// Not done; `status.error` says why.
    Failed,
}

impl JobState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::CompletedWithWarnings | Self::Failed
        )
    }

    /// As it stands in the custom resource.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
            Self::Failed => "Failed",
        }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// A code of the catalogue.
    #[schemars(length(max = 128))]
    pub code: String,
    /// What happened to what.
    #[schemars(length(max = 8192))]
    pub message: String,
    /// What the reader should do.
    #[serde(default)]
    #[schemars(length(max = 8192))]
    pub recommended_action: String,
}

/// How far a restore has durably come. The order of a recovery point's entries never changes, so
/// two positions in it say which objects the job meant to write and which of them are in the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreJournal {
    /// Entries before this position may have been written by this job: recorded before the first
    /// of them is.
    #[schemars(schema_with = "schema::count")]
    pub intended: u64,
    /// Entries before this position have their outcomes in the stored report.
    #[schemars(schema_with = "schema::count")]
    pub reported: u64,
    /// The attempt whose report holds them.
    #[schemars(schema_with = "schema::count")]
    pub report_attempt: u32,
    /// How many lines of that report belong to them.
    #[schemars(schema_with = "schema::count")]
    pub report_lines: u64,
    /// The resource version of the custom resource before this job wrote any object: what is no newer
    /// was written by somebody else. 0 when it is not known.
    #[schemars(schema_with = "schema::count")]
    pub since: u64,
}

/// What a preview counted of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PreviewedType {
    /// API group; empty for the core group.
    #[schemars(length(max = 253))]
    pub group: String,
    /// Kind.
    #[schemars(length(max = 253))]
    pub kind: String,
    /// Objects that would be taken.
    #[schemars(schema_with = "schema::count")]
    pub taken: u64,
    /// Their bytes.
    #[schemars(schema_with = "schema::count")]
    pub bytes: u64,
    /// Objects that could not be taken; the findings say why.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "schema::count")]
    pub failed: u64,
    /// Objects that would be left out, by the rule that leaves them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub left: Vec<LeftByRule>,
    /// Why the type is not read at all; its objects are not counted then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub not_read: Option<String>,
}

/// Objects that one rule leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LeftByRule {
    /// The rule, in a sentence.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// How many.
    #[schemars(schema_with = "schema::count")]
    pub objects: u64,
}

/// What a finding about the store names as its object.
pub const STORAGE_LOCATION: &str = "the backup storage location";

/// Something about a preview that is worth a look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PreviewFinding {
    /// A code of the catalogue.
    #[schemars(length(max = 128))]
    pub code: String,
    /// What it is about.
    #[schemars(length(max = 1024))]
    pub object: String,
    /// What was found.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// What a backup would take and leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupPreview {
    /// By type, in the order of their names.
    #[schemars(length(max = 1000))]
    pub types: Vec<PreviewedType>,
    /// What is worth a look.
    #[schemars(length(max = 200))]
    pub findings: Vec<PreviewFinding>,
    /// Types and findings that are not named because there are too many.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "schema::count")]
    pub left_off: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it skips by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it skips by reference"
)]
fn is_none(number: &u32) -> bool {
    *number == 0
}

/// The status of a Backup or Restore. Written by the extension only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// The generation of the spec that this status speaks of.
    pub observed_generation: i64,
    /// How many extension processes have taken the job: 1 is the first.
    pub attempt: u32,
    /// How the job stands.
    pub state: JobState,
    /// The step in hand, as of the last write of this status.
    #[schemars(length(max = 64))]
    pub step: String,
    /// When that step began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub step_started: Option<Timestamp>,
    /// The last sign of life of the process that works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub heartbeat: Option<Timestamp>,
    /// When the first attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub started: Option<Timestamp>,
    /// When it became final.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub completed: Option<Timestamp>,
    /// Objects by outcome.
    #[schemars(schema_with = "schema::counts")]
    pub counts: BTreeMap<String, u64>,
    /// Objects that there are to handle, when that is known: for a progress bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_count")]
    pub total_items: Option<u64>,
    /// Bytes of objects handled.
    #[schemars(schema_with = "schema::count")]
    pub bytes: u64,
    /// Bytes of those that the repository did not have yet.
    #[schemars(schema_with = "schema::count")]
    pub new_bytes: u64,
    /// Findings in the report.
    pub findings: u32,
    /// Why it failed; only in state Failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// Digest of the sealed manifest: the recovery point's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub manifest_digest: Option<String>,
    /// Digest of a restore's plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub plan_digest: Option<String>,
    /// The attempt whose report is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_attempt: Option<u32>,
    /// How far a restore has come, for the process that takes it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<RestoreJournal>,
    /// "cut at R" or "smeared from A to B": whether all kinds were read at one state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub cut: Option<String>,
    /// Volume snapshots that belong to the recovery point, or that were removed with it.
    #[serde(skip_serializing_if = "is_none")]
    pub volumes: u32,
    /// Milliseconds from the first request for a volume snapshot to the moment at which the last one was
    /// known to be cut; only of a job that took any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_count")]
    pub snapshot_window_millis: Option<u64>,
    /// Milliseconds from the first pre-hook to the end of the last post-hook; only of a job that ran hooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_count")]
    pub frozen_millis: Option<u64>,
    /// What a preview counted; only of a Backup in mode Preview that completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<BackupPreview>,
    /// The same as conditions, for `kubectl wait`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
