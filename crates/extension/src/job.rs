//! One attempt of this process at one job: what its steps share.
//!
//! A job is a custom resource. An attempt begins when a process takes it over ([`status`]) and ends
//! with an outcome, a [`JobFailure`], or the death of the process. Every step can be done again without
//! harm. The custom resource names the step in hand with the next write of its progress; a job that was
//! interrupted before names each step before it begins.

mod failure;
mod progress;
mod status;

use std::sync::Arc;

use jiff::Timestamp;
use strongroom_core::Problem;
use strongroom_kubernetes::crd::{BackupPreview, JobStatus};
use uuid::Uuid;

pub use self::failure::{JobFailure, Lost};
pub(crate) use self::failure::{is_denial, is_unreachable, object_code};
pub use self::progress::{Progress, Sums};
pub use self::status::{StatusWriter, Taken};
use crate::crash::Moment;
use crate::environment::Environment;

/// A step of a job, in the words of status, logs and crash points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Open the secrets, the store and the repository.
    Open,
    /// Ask the cluster what it serves.
    Discover,
    /// Decide what is to be done.
    Plan,
    /// Read objects and write them to the repository.
    Collect,
    /// Take volume snapshots.
    Snapshot,
    /// Remove the volume snapshots of a recovery point.
    Forget,
    /// Create and patch objects.
    Apply,
    /// Set owner references whose owners came later than what they own.
    Relink,
    /// Run the commands of hooks in the pods that were made.
    Hooks,
    /// Make the report durable.
    Report,
    /// Write the manifest: the recovery point exists.
    Seal,
}

impl Step {
    /// The step's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Discover => "discover",
            Self::Plan => "plan",
            Self::Collect => "collect",
            Self::Snapshot => "snapshot",
            Self::Forget => "forget",
            Self::Apply => "apply",
            Self::Relink => "relink",
            Self::Hooks => "hooks",
            Self::Report => "report",
            Self::Seal => "seal",
        }
    }
}

/// What the steps of an attempt share.
#[derive(Debug)]
pub struct Attempt {
    /// What the process has.
    pub environment: Arc<Environment>,
    /// The vault's job.
    pub job: Uuid,
    /// The custom resource's name.
    pub name: String,
    /// The number of this attempt; 1 is the first.
    pub number: u32,
    /// When the custom resource was created, by the API server's clock: nothing that this job made
    /// is older.
    pub created: Timestamp,
    /// The resource version of the custom resource before this job wrote any object: nothing that it
    /// made bears one that is no greater. 0 when it is not known.
    /// Source of the order: <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>
    pub since: u64,
    /// The status as the attempt found it, for what earlier attempts left there.
    pub found: JobStatus,
    /// What has been done so far.
    pub progress: Progress,
    /// Writes the status.
    pub status: StatusWriter,
}

/// What a job that was carried out leaves in its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Digest of the manifest of the recovery point.
    pub manifest_digest: Option<String>,
    /// Digest of the restore's plan.
    pub plan_digest: Option<String>,
    /// The attempt whose report is complete.
    pub report_attempt: Option<u32>,
    /// Whether all types were read at one state.
    pub cut: Option<String>,
    /// Volume snapshots that belong to the recovery point, or were removed with it.
    pub volumes: u32,
    /// Milliseconds in which they were cut.
    pub snapshot_window_millis: Option<u64>,
    /// What a preview counted.
    pub preview: Option<BackupPreview>,
    /// What the job fails with although all of it is done and told: a hook that must not fail has failed.
    pub failed: Option<Box<Problem>>,
}

impl Attempt {
    /// Carries a step out. The first attempt does not wait for its status to say so: most steps are over
    /// sooner than a write of the status is, and a write in the midst of collecting moves the state of the
    /// cluster that is being read. Later attempts do, so that a job that ends its process again and again
    /// says at which step.
    pub async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, JobFailure>>,
    ) -> Result<T, JobFailure> {
        self.progress.enter(step, self.environment.clock.now());
        if self.number > 1 {
            self.status.write(|status| self.show(status)).await?;
        }
        tracing::info!(
            job.id = %self.job, job.attempt = self.number, job.step = step.as_str(), "step begins"
        );
        self.reach(step, Moment::Before).await;
        let outcome = work.await?;
        self.reach(step, Moment::After).await;
        self.progress.leave(step);
        Ok(outcome)
    }

    /// A place where a test may kill the process.
    pub async fn reach(&self, step: Step, moment: Moment) {
        self.environment
            .crash
            .reach(step.as_str(), moment, self.number)
            .await;
    }

    /// Puts the progress into a status.
    pub fn show(&self, status: &mut JobStatus) {
        if let Some((step, began)) = self.progress.step() {
            step.as_str().clone_into(&mut status.step);
            status.step_started = Some(began);
        }
        let sums = self.progress.snapshot();
        status.counts = sums.named();
        status.bytes = sums.counts.bytes;
        status.new_bytes = sums.new_bytes;
        status.findings = u32::try_from(sums.counts.findings).unwrap_or(u32::MAX);
        status.total_items = sums.total;
        status.frozen_millis = sums.frozen_millis.or(status.frozen_millis);
    }

    /// Writes the progress to the status at the named interval, until the job is lost.
    pub async fn beat(&self) -> Lost {
        loop {
            tokio::time::sleep(self.environment.status_interval).await;
            match self.status.write(|status| self.show(status)).await {
                Ok(()) => {}
                Err(JobFailure::Lost(lost)) => return lost,
                // The step in hand meets the same trouble and decides what it means.
                Err(error) => {
                    tracing::debug!(job.id = %self.job, %error, "progress not written");
                }
            }
        }
    }
}
