//! The row of a job: the one durable account of a piece of work, advanced by compare-and-swap.
//!
//! Status (what a client sees), step (what the worker does next) and outcome (result or error) are
//! separate columns. A job whose `next_poll_at` is set is due for the worker at that time, even
//! after it ended: that is how leftovers in an unreachable cluster are still removed later.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// A job, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Identity; also the published job id.
    pub id: Uuid,
    /// Key of the vault that owns the job.
    pub vault_key: String,
    /// Key of the backup instance the job works on.
    pub instance_key: String,
    /// Key of the cluster in which the work happens (for a restore: the target).
    pub cluster_key: String,
    /// Published operation name, for example `Backup` or `Restore`.
    pub operation: String,
    /// Published status: `InProgress`, `Completed`, `CompletedWithWarnings`, `Failed`, ….
    pub status: String,
    /// Name of the step that comes next; the worker's own words.
    pub step: String,
    /// Progress as last observed.
    pub progress: Value,
    /// Name of the custom resource in the cluster, once it is decided.
    pub resource_name: Option<String>,
    /// What was asked for.
    pub request: Value,
    /// What came of it; `null` until then.
    pub result: Value,
    /// Why it failed; `null` unless it did.
    pub error: Value,
    /// When the job was accepted.
    pub created_at: Timestamp,
    /// When work began in the cluster.
    pub started_at: Option<Timestamp>,
    /// When it reached a final status.
    pub ended_at: Option<Timestamp>,
    /// When the worker must look at it next; none = never again.
    pub next_poll_at: Option<Timestamp>,
    /// Number of updates so far; an update names the generation it was computed from.
    pub generation: i64,
}

/// Which jobs a list holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFilter {
    /// Only jobs of this vault.
    pub vault_key: String,
    /// Only jobs of this instance, when given.
    pub instance_key: Option<String>,
    /// Only jobs with this published operation name, when given (without regard to case).
    pub operation: Option<String>,
    /// Only jobs with this published status, when given (without regard to case).
    pub status: Option<String>,
    /// Only jobs created at or after this time, when given.
    pub from: Option<Timestamp>,
    /// Only jobs created at or before this time, when given.
    pub until: Option<Timestamp>,
}
