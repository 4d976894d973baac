//! What stands in the JSON columns of a job's row.
//!
//! These are persisted: fields are only ever added, and absent ones have defaults. Secrets never
//! stand here; a job names where its repository is, and the worker fetches the rest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_core::restore::RestoreCriteria;
use strongroom_core::selection::Selection;
use strongroom_core::volumes::GivenClass;
use strongroom_kubernetes::crd::RestoreMode;
use uuid::Uuid;

use crate::app::{Error, Result};
use crate::store::{JobRow, StoreError};

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Id of the blob container.
    pub container_id: String,
    /// Path below which everything of the repository is.
    pub prefix: String,
}

/// Who and what a job is about; ids in their published spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The backup instance.
    pub instance_id: String,
    /// Its friendly name.
    pub instance_name: String,
    /// The vault.
    pub vault_id: String,
    /// The instance's datasource: the cluster that is protected.
    pub datasource_id: String,
    /// The cluster in which the work happens; for a restore elsewhere another one.
    pub cluster_id: String,
    /// The policy, when the instance has one.
    #[serde(default)]
    pub policy_id: Option<String>,
    /// Location of the vault.
    #[serde(default)]
    pub location: String,
    /// Whether a user asked for it rather than the schedule.
    #[serde(default)]
    pub is_user_triggered: bool,
}

/// What a job was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Request {
    /// Make a recovery point.
    Backup {
        /// Whose.
        about: About,
        /// The recovery point's id, decided at the start so that it is made once.
        recovery_point_id: Uuid,
        /// Which objects.
        selection: Selection,
        /// What the snapshot resource group says of drivers.
        #[serde(default)]
        snapshot_classes: Vec<GivenClass>,
        /// The recovery point before it, against which unchanged objects are found.
        #[serde(default)]
        parent_recovery_point_id: Option<Uuid>,
        /// Where to.
        repository: Location,
        /// The policy's rule that was asked for.
        #[serde(default)]
        rule_name: String,
        /// The retention tag.
        #[serde(default)]
        retention_tag: String,
        /// When retention lets the recovery point go, as far as it can be said before it is made.
        #[serde(default)]
        expires_at: Option<Timestamp>,
        /// The moment of the schedule that the backup stands for; none when it was asked for.
        #[serde(default)]
        scheduled_for: Option<Timestamp>,
    },
    /// Restore from a recovery point, or say what that would do.
    Restore {
        /// Whose.
        about: About,
        /// The recovery point.
        recovery_point_id: Uuid,
        /// The time it stands for.
        recovery_point_time: Timestamp,
        /// Whether anything is changed.
        mode: RestoreMode,
        /// What, where to, and what to do about what is there.
        criteria: RestoreCriteria,
        /// Digest of the plan that the user saw.
        #[serde(default)]
        plan_digest: Option<String>,
        /// Where from.
        repository: Location,
    },
    /// A scheduled backup that could not be started: the job ended when it was made, and says why.
    NotStarted {
        /// Whose.
        about: About,
        /// The moment of the schedule.
        scheduled_for: Timestamp,
    },
    /// Delete what a deleted instance left in its repositories.
    Purge {
        /// Whose.
        about: About,
        /// The repositories.
        repositories: Vec<Location>,
        /// The recovery points whose volume snapshots are still to be removed from the cluster.
        #[serde(default)]
        snapshots_of: Vec<Uuid>,
    },
}

impl Request {
    /// Who and what the job is about.
    #[must_use]
    pub fn about(&self) -> &About {
        match self {
            Self::Backup { about, .. }
            | Self::Restore { about, .. }
            | Self::NotStarted { about, .. }
            | Self::Purge { about, .. } => about,
        }
    }

    /// The repository that the job works with in the cluster.
    #[must_use]
    pub fn repository(&self) -> Option<&Location> {
        match self {
            Self::Backup { repository, .. } | Self::Restore { repository, .. } => Some(repository),
            Self::NotStarted { .. } | Self::Purge { .. } => None,
        }
    }

    /// The recovery point that the job reads or, as its parent, rests on.
    #[must_use]
    pub fn needed_point(&self) -> Option<Uuid> {
        match self {
            Self::Backup {
                parent_recovery_point_id,
                ..
            } => *parent_recovery_point_id,
            Self::Restore {
                recovery_point_id, ..
            } => Some(*recovery_point_id),
            Self::NotStarted { .. } | Self::Purge { .. } => None,
        }
    }

    /// Reads what a job was asked to do.
    pub fn of(row: &JobRow) -> Result<Self> {
        read(&row.request, "job request")
    }

    /// The JSON of the column.
    pub fn to_column(&self) -> Result<Value> {
        write(self)
    }
}

/// How far a job has come, as last observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// What is waited for, in words; empty when the work goes on.
    pub waiting_for: String,
    /// When the job's turn came. Limits count from here: what a job waits in the queue is not its fault.
    pub admitted_at: Option<Timestamp>,
    /// The extension's step.
    pub step: String,
    /// The steps that were seen, in order, with the time at which each was first seen.
    pub steps: Vec<StepSeen>,
    /// How many extension processes have taken the job.
    pub attempt: u32,
    /// Objects by outcome.
    pub counts: BTreeMap<String, u64>,
    /// Objects that there are to handle, when that is known.
    pub total_items: Option<u64>,
    /// Bytes of objects handled.
    pub bytes: u64,
    /// Bytes of those that the repository did not have yet.
    pub new_bytes: u64,
    /// Findings so far.
    pub findings: u64,
    /// The extension's last sign of life, by its own clock.
    pub heartbeat: Option<Timestamp>,
    /// When that was last seen to change, by the server's clock: the two are never compared.
    pub heartbeat_seen_at: Option<Timestamp>,
    /// Since when something that the job needs does not answer.
    pub unavailable_since: Option<Timestamp>,
    /// When the job was asked to end.
    pub cancel_asked_at: Option<Timestamp>,
    /// Who asked.
    pub cancelled_by: Option<String>,
    /// When the custom resource of a job that was asked to end was seen to be gone.
    pub resource_gone_at: Option<Timestamp>,
    /// Milliseconds in which the volume snapshots were cut; only of a backup that took some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_window_millis: Option<u64>,
    /// Milliseconds in which hooks kept the application frozen; only of a backup that ran some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_millis: Option<u64>,
    /// The first findings of the report, and what else there is to say of them; written at the end.
    pub warnings: Vec<Warning>,
}

/// A finding as the job's document tells it. What to do about it is the catalogue's to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Warning {
    /// The object, as in `apps/Deployment shop/web`; none when it is about the report.
    pub resource: Option<String>,
    /// Its code, when it has one; a newer extension may name one that is not known here.
    pub code: Option<String>,
    /// What is amiss.
    pub message: String,
}

/// A step of the extension, and when the server first saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSeen {
    /// Its name.
    pub name: String,
    /// When it was first seen.
    pub since: Timestamp,
}

impl Progress {
    /// Reads how far a job has come.
    pub fn of(row: &JobRow) -> Result<Self> {
        match &row.progress {
            Value::Null => Ok(Self::default()),
            value => read(value, "job progress"),
        }
    }

    /// The JSON of the column.
    pub fn to_column(&self) -> Result<Value> {
        write(self)
    }
}

/// What came of a job's work in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// Whether there were findings.
    pub with_warnings: bool,
    /// Digest of the sealed manifest, as the extension claims it.
    pub manifest_digest: Option<String>,
    /// Digest of a restore's plan.
    pub plan_digest: Option<String>,
    /// The attempt whose report is complete.
    pub report_attempt: Option<u32>,
    /// Objects by outcome.
    pub counts: BTreeMap<String, u64>,
    /// Bytes of objects handled.
    pub bytes: u64,
    /// Bytes of those that were new.
    pub new_bytes: u64,
    /// Findings in the report.
    pub findings: u64,
    /// Whether all kinds were read at one state.
    pub cut: Option<String>,
    /// When the extension was done, by its own clock.
    pub completed: Option<Timestamp>,
}

impl Outcome {
    /// Reads what came of a job; `None` before it has one.
    pub fn of(row: &JobRow) -> Result<Option<Self>> {
        match &row.result {
            Value::Null => Ok(None),
            value => read(value, "job result").map(Some),
        }
    }

    /// The JSON of the column.
    pub fn to_column(&self) -> Result<Value> {
        write(self)
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, what: &'static str) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|error| {
        StoreError::Malformed {
            what,
            detail: error.to_string(),
        }
        .into()
    })
}

fn write(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(Error::unexpected("serialise a job's document"))
}
