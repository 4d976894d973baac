//! A job: one long action with an end, whatever happens.
//!
//! Contract: a state is an enum that carries its data; a transition takes the state and the time and
//! gives the next state, or says that it is not possible. State, outcome and step are three things and
//! never multiplied into one. A job that has ended never changes again.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::id::{ArmId, JobId};
use crate::report::Counts;

#[cfg(test)]
mod tests;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobOperation {
    /// Makes a recovery point.
    Backup,
    /// Brings objects of a recovery point into a cluster.
    Restore,
    /// Computes what a restore would do.
    ValidateRestore,
    /// Checks whether a backup could run.
    ValidateBackup,
    /// Begins the protection of an instance.
    ConfigureBackup,
    /// Ends the protection of an instance.
    DeleteBackupInstance,
}

impl JobOperation {
    /// Every operation.
    pub const ALL: [Self; 6] = [
        Self::Backup,
        Self::Restore,
        Self::ValidateRestore,
        Self::ValidateBackup,
        Self::ConfigureBackup,
        Self::DeleteBackupInstance,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Restore => "Restore",
            Self::ValidateRestore => "ValidateRestore",
            Self::ValidateBackup => "ValidateBackup",
            Self::ConfigureBackup => "ConfigureBackup",
            Self::DeleteBackupInstance => "DeleteBackupInstance",
        }
    }

    /// The steps in which the extension runs it, in order; none when the server does it alone.
    #[must_use]
    pub const fn steps(self) -> &'static [Step] {
        use Step::{Apply, Collect, Discover, Hooks, Open, Plan, Relink, Report, Seal, Snapshot};
        match self {
            Self::Backup => &[Open, Discover, Plan, Collect, Snapshot, Report, Seal],
            Self::Restore => &[Open, Discover, Apply, Relink, Hooks, Report],
            Self::ValidateRestore => &[Open, Discover, Plan, Report],
            Self::ValidateBackup | Self::ConfigureBackup | Self::DeleteBackupInstance => &[],
        }
    }
}

impl fmt::Display for JobOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step of a job. Each is idempotent and is recorded before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Unseal the secrets, connect the store, open the repository or the recovery point.
    Open,
    /// Ask the cluster what types it serves.
    Discover,
    /// Decide what is to be done.
    Plan,
    /// Read objects and write them to the repository.
    Collect,
    /// Take volume snapshots.
    Snapshot,
    /// Write the manifest: from now on the recovery point exists.
    Seal,
    /// Create and change objects in the cluster.
    Apply,
    /// Set owner references whose owners came later than what they own.
    Relink,
    /// Run the commands of hooks in the pods that were made.
    Hooks,
    /// Close the report.
    Report,
}

impl Step {
    /// The stable name, as in a custom resource's status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Discover => "discover",
            Self::Plan => "plan",
            Self::Collect => "collect",
            Self::Snapshot => "snapshot",
            Self::Seal => "seal",
            Self::Apply => "apply",
            Self::Relink => "relink",
            Self::Hooks => "hooks",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a step")]
pub struct UnknownStep(pub String);

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use Step::{Apply, Collect, Discover, Hooks, Open, Plan, Relink, Report, Seal, Snapshot};
        [
            Open, Discover, Plan, Collect, Snapshot, Seal, Apply, Relink, Hooks, Report,
        ]
        .into_iter()
        .find(|step| step.as_str() == text)
        .ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Outcome {
    /// All that was planned is done, and nothing is to be said about it.
    Completed,
    /// What was planned is done except for what the findings say.
    CompletedWithWarnings {
        /// How many findings there are.
        findings: u64,
    },
    /// The plan could not be carried out.
    Failed {
        /// Why.
        problem: Problem,
    },
    /// Somebody ended it.
    Cancelled,
}

impl Outcome {
    /// Completed, with or without warnings.
    #[must_use]
    pub fn of_findings(findings: u64) -> Self {
        if findings == 0 {
            Self::Completed
        } else {
            Self::CompletedWithWarnings { findings }
        }
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum JobState {
    /// It runs, or waits to run.
    InProgress {
        /// The step that runs now; none before the extension has taken the job.
        step: Option<RunningStep>,
    },
    /// It runs, and somebody asked it to end.
    Cancelling {
        /// When it was asked.
        #[serde(rename = "requestedTime")]
        requested: Timestamp,
        /// The step that runs now.
        step: Option<RunningStep>,
    },
    /// It has ended and never changes again.
    Ended {
        /// When.
        #[serde(rename = "endTime")]
        ended: Timestamp,
        /// How.
        outcome: Outcome,
    },
}

/// The step that runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningStep {
    /// Which.
    pub step: Step,
    /// Since when.
    pub started: Timestamp,
}

/// A step that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedStep {
    /// Which.
    pub step: Step,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub operation: JobOperation,
    /// The backup instance that it concerns.
    pub instance: ArmId,
    /// When it was asked for.
    pub started: Timestamp,
    /// Where it stands.
    pub state: JobState,
    /// Steps that have ended, in the order in which they did; a step that was begun again after a crash
    /// appears once, from its first begin to its end.
    #[serde(default)]
    pub steps: Vec<FinishedStep>,
    /// What became of the objects so far.
    #[serde(default)]
    pub counts: Counts,
}

/// A transition that the state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {status} cannot {action}")]
pub struct InvalidTransition {
    /// The published status of the job.
    pub status: &'static str,
    /// What was asked.
    pub action: &'static str,
}

impl Job {
    /// A job that has just been asked for.
    #[must_use]
    pub fn start(id: JobId, operation: JobOperation, instance: ArmId, now: Timestamp) -> Self {
        Self {
            id,
            operation,
            instance,
            started: now,
            state: JobState::InProgress { step: None },
            steps: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The published status: `InProgress`, `Cancelling`, `Completed`, `CompletedWithWarnings`, `Failed`
    /// or `Cancelled`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.state {
            JobState::InProgress { .. } => "InProgress",
            JobState::Cancelling { .. } => "Cancelling",
            JobState::Ended { outcome, .. } => match outcome {
                Outcome::Completed => "Completed",
                Outcome::CompletedWithWarnings { .. } => "CompletedWithWarnings",
                Outcome::Failed { .. } => "Failed",
                Outcome::Cancelled => "Cancelled",
            },
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Ended { .. })
    }

    /// The step that runs now.
    #[must_use]
    pub fn current_step(&self) -> Option<RunningStep> {
        match self.state {
            JobState::InProgress { step } | JobState::Cancelling { step, .. } => step,
            JobState::Ended { .. } => None,
        }
    }

    /// How much of it is done, in percent: finished steps count whole. 100 only when it has ended.
    #[must_use]
    pub fn progress_percent(&self) -> u8 {
        if self.has_ended() {
            return 100;
        }
        let all = self.operation.steps();
        let done = self
            .current_step()
            .and_then(|now| all.iter().position(|step| *step == now.step))
            .unwrap_or(0);
        u8::try_from(done * 100 / all.len().max(1))
            .unwrap_or(99)
            .min(99)
    }

    /// Records that a step begins; the step before it has ended then. Beginning the step that runs
    /// already changes nothing, because a new process takes a step over from a crashed one.
    ///
    /// # Errors
    /// When the job has ended.
    pub fn enter_step(mut self, step: Step, now: Timestamp) -> Result<Self, InvalidTransition> {
        let running = Some(RunningStep { step, started: now });
        match self.current_step() {
            Some(current) if current.step == step => return Ok(self),
            Some(current) => self.finish_step(current, now),
            None => {}
        }
        self.state = match self.state {
            JobState::InProgress { .. } => JobState::InProgress { step: running },
            JobState::Cancelling { requested, .. } => JobState::Cancelling {
                requested,
                step: running,
            },
            JobState::Ended { .. } => return Err(self.refuse("begin a step")),
        };
        Ok(self)
    }

    /// Records that somebody wants it to end. Asking twice changes nothing.
    ///
    /// # Errors
    /// When the job has ended.
    pub fn request_cancel(mut self, now: Timestamp) -> Result<Self, InvalidTransition> {
        self.state = match self.state {
            JobState::InProgress { step } => JobState::Cancelling {
                requested: now,
                step,
            },
            cancelling @ JobState::Cancelling { .. } => cancelling,
            JobState::Ended { .. } => return Err(self.refuse("be cancelled")),
        };
        Ok(self)
    }

    /// Ends it with what became of the objects; findings make it `CompletedWithWarnings`. A job that
    /// was asked to cancel but had finished first is completed: that is the truth.
    ///
    /// # Errors
    /// When the job has ended.
    pub fn complete(mut self, counts: Counts, now: Timestamp) -> Result<Self, InvalidTransition> {
        let outcome = Outcome::of_findings(counts.findings);
        if !self.has_ended() {
            self.counts = counts;
        }
        self.end(outcome, "complete", now)
    }

    /// Ends it as failed.
    ///
    /// # Errors
    /// When the job has ended.
    pub fn fail(self, problem: Problem, now: Timestamp) -> Result<Self, InvalidTransition> {
        self.end(Outcome::Failed { problem }, "fail", now)
    }

    /// Ends it as cancelled.
    ///
    /// # Errors
    /// When the job has ended, or nobody asked it to cancel.
    pub fn cancelled(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        if matches!(self.state, JobState::InProgress { .. }) {
            return Err(self.refuse("end as cancelled without a request"));
        }
        self.end(Outcome::Cancelled, "be cancelled", now)
    }

    fn end(
        mut self,
        outcome: Outcome,
        action: &'static str,
        now: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        if self.has_ended() {
            return Err(self.refuse(action));
        }
        if let Some(current) = self.current_step() {
            self.finish_step(current, now);
        }
        self.state = JobState::Ended {
            ended: now,
            outcome,
        };
        Ok(self)
    }

    fn finish_step(&mut self, current: RunningStep, now: Timestamp) {
        self.steps.push(FinishedStep {
            step: current.step,
            started: current.started,
            ended: now,
        });
    }

    fn refuse(&self, action: &'static str) -> InvalidTransition {
        InvalidTransition {
            status: self.status(),
            action,
        }
    }
}
