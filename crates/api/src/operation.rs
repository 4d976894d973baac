//! Long-running operations: `operationStatus` and `operationResults`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::ErrorBody;
use crate::object_type::by_object_type;

/// `OperationResource`: the answer of `GET …/operationStatus/{id}`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OperationResource")]
pub struct OperationStatus {
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<ErrorBody>,
    /// The operation's own resource id.
    pub id: Option<String>,
    /// Its name: the operation's id.
    pub name: Option<String>,
    /// What came of it.
    pub properties: Option<OperationExtendedInfo>,
    /// When it began; always sent.
    pub start_time: Option<Timestamp>,
    /// `Inprogress` until one of [`SUCCEEDED`], [`FAILED`], [`CANCELED`].
    pub status: String,
    /// How much of the work is done, 0 to 100, where that is known; a property that Azure Resource
    /// Manager names for every provider.
    pub percent_complete: Option<f64>,
}

/// Still running, spelt as the published examples spell it.
pub const IN_PROGRESS: &str = "Inprogress";
/// Terminal: it went well.
pub const SUCCEEDED: &str = "Succeeded";
/// Terminal: it did not.
pub const FAILED: &str = "Failed";
/// Terminal: somebody stopped it. One `l`: Terraform's client polls any other spelling for ever.
pub const CANCELED: &str = "Canceled";

impl OperationStatus {
    /// Is the status one of the three terminal ones?
    #[must_use]
    pub fn is_final(&self) -> bool {
        [SUCCEEDED, FAILED, CANCELED]
            .iter()
            .any(|end| end.eq_ignore_ascii_case(&self.status))
    }

    /// Did it succeed?
    #[must_use]
    pub fn is_success(&self) -> bool {
        SUCCEEDED.eq_ignore_ascii_case(&self.status)
    }

    /// The job behind the operation, when it started one.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        match self.properties.as_ref()? {
            OperationExtendedInfo::OperationJobExtendedInfo(info) => info.job_id.as_deref(),
        }
    }
}

by_object_type! {
    /// `OperationExtendedInfo`; also the answer of `GET …/operationResults/{id}` after a POST.
    pub enum OperationExtendedInfo {
        /// A job was started.
        OperationJobExtendedInfo(OperationJobExtendedInfo),
    }
}

impl OperationExtendedInfo {
    /// Points at a job.
    #[must_use]
    pub fn job(job_id: impl Into<String>) -> Self {
        Self::OperationJobExtendedInfo(OperationJobExtendedInfo {
            job_id: Some(job_id.into()),
        })
    }
}

/// `OperationJobExtendedInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationJobExtendedInfo {
    /// The full resource id of a job, or its name alone; `null` while there is none.
    pub job_id: Option<String>,
}
