//! The row of a long-running operation, as clients poll it.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// State of an operation; the names are the ones clients know. Terminal names are exactly these
/// three: Terraform's client polls anything else for ever (`Canceled` has one l).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationStatus {
    /// Still at work.
    InProgress,
    /// Done.
    Succeeded,
    /// Given up, with an error.
    Failed,
    /// Stopped on request.
    Canceled,
}

impl OperationStatus {
    /// The published name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }

    /// Reads the published name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::InProgress,
            Self::Succeeded,
            Self::Failed,
            Self::Canceled,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }

    /// Whether clients stop polling here.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::InProgress
    }
}

/// A long-running operation, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRow {
    /// Opaque id, a UUID.
    pub id: String,
    /// What it does, for example `ConfigureBackup`: tells a restarted server how to go on.
    pub kind: String,
    /// Key of the subscription in which it may be polled.
    pub scope_key: String,
    /// Published id of the resource it works on.
    pub resource_id: String,
    /// Location in its polling address.
    pub location: String,
    /// State.
    pub status: OperationStatus,
    /// What was asked for, as far as nothing else in the store says it: what a restarted server goes
    /// on from. `null` when it needs nothing, and once the operation ended.
    pub request: Value,
    /// The server that carries it out, where no job does; none: of a version that did not say so.
    pub holder: Option<Uuid>,
    /// The job it started, if any: what the final answer names.
    pub job_id: Option<String>,
    /// Body of the final answer; `null` when there is none beyond the job id.
    pub result: Value,
    /// `{code, message, …}` when it failed, else `null`.
    pub error: Value,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it reached a final state.
    pub ended_at: Option<Timestamp>,
}
