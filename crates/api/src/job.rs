//! `…/backupVaults/backupJobs`: every backup, restore, validation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::error::{UserFacingError, UserFacingWarningDetail};

/// `AzureBackupJobResource`.
pub type JobResource = Resource<Job>;

/// `AzureBackupJob`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AzureBackupJob")]
pub struct Job {
    /// Correlates log lines. The published name has these capital letters.
    #[serde(rename = "activityID")]
    pub activity_id: String,
    /// What people call the instance.
    pub backup_instance_friendly_name: String,
    /// Read-only.
    pub backup_instance_id: Option<String>,
    /// The cluster's resource id.
    pub data_source_id: String,
    /// The cluster's region.
    pub data_source_location: String,
    /// The cluster's name.
    pub data_source_name: String,
    /// Of a cluster: its own name.
    pub data_source_set_name: Option<String>,
    /// `Microsoft.ContainerService/managedClusters`.
    pub data_source_type: String,
    /// How long so far, as `HH:MM:SS.fffffff` or ISO 8601; absent while unknown.
    pub duration: Option<String>,
    /// Read-only: when it ended.
    pub end_time: Option<Timestamp>,
    /// Read-only: what went wrong; bounded, the rest is in the report.
    pub error_details: Option<Vec<UserFacingError>>,
    /// Read-only: steps, warnings, numbers.
    pub extended_info: Option<JobExtendedInfo>,
    /// By a person, not by the schedule.
    pub is_user_triggered: bool,
    /// For example `Backup`, `Restore`, `ValidateRestore`, `ConfigureBackup`.
    pub operation: String,
    /// Its class: `Backup`, `Restore`, `ConfigureBackup`, ….
    pub operation_category: String,
    /// Read-only.
    pub policy_id: Option<String>,
    /// Read-only.
    pub policy_name: Option<String>,
    /// Does `progressUrl` or a sub-task's `taskProgress` say anything?
    pub progress_enabled: bool,
    /// Read-only.
    pub progress_url: Option<String>,
    /// Read-only, archive only.
    pub rehydration_priority: Option<String>,
    /// Read-only: `AlternateLocation`, `OriginalLocation`, ….
    pub restore_type: Option<String>,
    /// The cluster's resource group.
    pub source_resource_group: String,
    /// The cluster's subscription. The published name has these capital letters.
    #[serde(rename = "sourceSubscriptionID")]
    pub source_subscription_id: String,
    /// When it began.
    pub start_time: Timestamp,
    /// `InProgress`, `Cancelling`, `Completed`, `CompletedWithWarnings`, `Failed`, `Cancelled`.
    pub status: String,
    /// The vault's subscription.
    pub subscription_id: String,
    /// For example `Cancel`.
    pub supported_actions: Vec<String>,
    /// The vault.
    pub vault_name: String,
    /// Changes with each write. The published name is in small letters here.
    pub etag: Option<String>,
    /// The tier that was read.
    pub source_data_store_name: Option<String>,
    /// The tier that was written.
    pub destination_data_store_name: Option<String>,
}

/// `ExportJobsResult`: links to a vault's jobs as files; append the key to the address.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportJobsResult {
    /// Address of the jobs as a JSON array.
    pub blob_url: Option<String>,
    /// What opens it.
    pub blob_sas_key: Option<String>,
    /// Address of the jobs as a table (CSV here).
    pub excel_file_blob_url: Option<String>,
    /// What opens it.
    pub excel_file_blob_sas_key: Option<String>,
}

impl Job {
    /// Has it come to an end, whichever?
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self.status.as_str(),
            "Completed" | "CompletedWithWarnings" | "Failed" | "Cancelled"
        )
    }

    /// Did it do what it was to do (warnings included)?
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self.status.as_str(), "Completed" | "CompletedWithWarnings")
    }
}

/// `JobExtendedInfo`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobExtendedInfo {
    /// Facts by name: counts per outcome, the recovery point, the plan's digest ….
    pub additional_details: Option<BTreeMap<String, String>>,
    /// Read-only.
    pub backup_instance_state: Option<String>,
    /// Read-only; a number with a point in the published model.
    pub data_transferred_in_bytes: Option<f64>,
    /// Read-only: where it restored to.
    pub recovery_destination: Option<String>,
    /// Read-only: what it restored.
    pub source_recover_point: Option<RestoreJobRecoveryPointDetails>,
    /// Read-only: the steps.
    pub sub_tasks: Option<Vec<JobSubTask>>,
    /// Read-only: the recovery point that it made.
    pub target_recover_point: Option<RestoreJobRecoveryPointDetails>,
    /// Read-only: per-object warnings; bounded, the rest is in the report.
    pub warning_details: Option<Vec<UserFacingWarningDetail>>,
}

/// `RestoreJobRecoveryPointDetails`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreJobRecoveryPointDetails {
    /// Its id. The published name has these capital letters.
    #[serde(rename = "recoveryPointID")]
    pub recovery_point_id: Option<String>,
    /// Its time.
    pub recovery_point_time: Option<Timestamp>,
}

/// `JobSubTask`: one step.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSubTask {
    /// Facts by name.
    pub additional_details: Option<BTreeMap<String, String>>,
    /// Counts from 1.
    pub task_id: i64,
    /// The step.
    pub task_name: String,
    /// Read-only: per cent, as a string.
    pub task_progress: Option<String>,
    /// `NotStarted`, `InProgress`, `Completed`, `Failed`, `Skipped`.
    pub task_status: String,
}
