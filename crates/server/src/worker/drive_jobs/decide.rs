//! What follows from what was observed: pure, so that every case is a test without a cluster.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use strongroom_core::error::{Code, Problem};
use strongroom_kubernetes::crd::{JobState, JobStatus};

use crate::app::jobs::{Outcome, Progress, StepSeen};
use crate::cluster_link::{JobKind, LinkError, Remedy};
use crate::worker::limits::{
    FIRST_RETRY, JobLimits, LONGEST_RETRY, OBSERVE_EVERY, OBSERVE_SHARE, OBSERVE_SOONEST,
};

/// How much longer than the extension the server waits for a job's deadline: the extension ends the
/// job by itself and says how far it came, which is worth more than "too late".
const DEADLINE_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// A running job, as far as decisions need it.
#[derive(Debug, Clone)]
pub(super) struct Running<'a> {
    pub(super) kind: JobKind,
    pub(super) resource_name: &'a str,
    /// When its turn came: what limits count from.
    pub(super) began: Timestamp,
    pub(super) progress: Progress,
    pub(super) now: Timestamp,
    pub(super) limits: &'a JobLimits,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// Look again at that time.
    Again { progress: Progress, at: Timestamp },
    /// The extension says that it is done.
    Ended {
        progress: Progress,
        outcome: Outcome,
    },
    /// The job has failed.
    Fail {
        progress: Progress,
        problem: Problem,
        /// What came of it all the same, when the extension has told all of it in a report.
        outcome: Option<Box<Outcome>>,
    },
}

impl Running<'_> {
    /// What follows from a look at the custom resource.
    pub(super) fn after_look(mut self, observed: Result<Option<JobStatus>, LinkError>) -> Next {
        match observed {
            Err(error) => self.after_error(error),
            Ok(None) => {
                let message = format!(
                    "The custom resource {} was removed from the cluster by somebody else while the \
                     job was running.",
                    self.resource_name
                );
                self.fail(
                    Code::KubernetesBackupCustomResourcesTrackingTimeOutError,
                    message,
                )
            }
            Ok(Some(status)) => {
                self.take_over(&status);
                match status.state {
                    JobState::Completed | JobState::CompletedWithWarnings => Next::Ended {
                        outcome: outcome(&status),
                        progress: self.progress,
                    },
                    JobState::Failed => {
                        let told = status.report_attempt.is_some();
                        Next::Fail {
                            progress: self.progress,
                            problem: failure(&status),
                            outcome: told.then(|| Box::new(outcome(&status))),
                        }
                    }
                    JobState::Pending | JobState::Running => self.after_sign_of_life(&status),
                }
            }
        }
    }

    /// What follows when the cluster or the store did not do what it was asked to.
    pub(super) fn after_error(mut self, error: LinkError) -> Next {
        if error.remedy == Remedy::None {
            return Next::Fail {
                progress: self.progress,
                problem: error.problem,
                outcome: None,
            };
        }
        let since = *self.progress.unavailable_since.get_or_insert(self.now);
        self.progress.waiting_for = error.problem.message.clone();
        if !is_over(since, self.now, self.limits.unavailable) {
            let at = self.now + retry_after(since, self.now);
            return Next::Again {
                progress: self.progress,
                at,
            };
        }
        if error.problem.code == Code::UserErrorClusterUnreachable && !self.progress.step.is_empty()
        {
            let message = format!(
                "The cluster has not answered for {} minutes; the job was at step {}. {}",
                self.limits.unavailable.as_secs() / 60,
                self.progress.step,
                error.problem.message
            );
            return self.fail(Code::ClusterLostDuringJob, message);
        }
        Next::Fail {
            progress: self.progress,
            problem: error.problem,
            outcome: None,
        }
    }

    /// What follows when the repository of a sealed backup could not be read. `is_lasting`: what was
    /// read says that the recovery point is not what the extension claims; anything else is waited
    /// for, because all of the job's work is done.
    pub(super) fn after_store_error(mut self, problem: Problem, is_lasting: bool) -> Next {
        if is_lasting {
            return Next::Fail {
                progress: self.progress,
                problem,
                outcome: None,
            };
        }
        let since = *self.progress.unavailable_since.get_or_insert(self.now);
        self.progress.waiting_for.clone_from(&problem.message);
        if !is_over(since, self.now, self.limits.sealed) {
            let at = self.now + retry_after(since, self.now);
            return Next::Again {
                progress: self.progress,
                at,
            };
        }
        let message = format!(
            "The backup is sealed, but its storage location could not be read for {} hours. The \
             recovery point appears by itself once it can. {}",
            self.limits.sealed.as_secs() / 3600,
            problem.message
        );
        self.fail(problem.code, message)
    }

    fn take_over(&mut self, status: &JobStatus) {
        let progress = &mut self.progress;
        progress.unavailable_since = None;
        progress.waiting_for.clear();
        if !status.step.is_empty() && progress.step != status.step {
            progress.step.clone_from(&status.step);
            progress.steps.push(StepSeen {
                name: status.step.clone(),
                since: self.now,
            });
        }
        let alive = status.heartbeat != progress.heartbeat || status.attempt != progress.attempt;
        if alive || progress.heartbeat_seen_at.is_none() {
            progress.heartbeat_seen_at = Some(self.now);
        }
        progress.heartbeat = status.heartbeat;
        progress.attempt = status.attempt;
        progress.counts.clone_from(&status.counts);
        progress.total_items = status.total_items;
        progress.bytes = status.bytes;
        progress.new_bytes = status.new_bytes;
        progress.findings = u64::from(status.findings);
        progress.snapshot_window_millis = status.snapshot_window_millis;
        progress.frozen_millis = status.frozen_millis;
    }

    fn after_sign_of_life(self, status: &JobStatus) -> Next {
        let deadline =
            SignedDuration::try_from(self.limits.deadline).unwrap_or(SignedDuration::MAX);
        if self.now.duration_since(self.began) > deadline.saturating_add(DEADLINE_GRACE) {
            let message = format!(
                "The job did not end within {} minutes; it stood at step {}.",
                self.limits.deadline.as_secs() / 60,
                if status.step.is_empty() {
                    "(none)"
                } else {
                    &status.step
                }
            );
            return self.fail(Code::JobDeadlineExceeded, message);
        }
        let seen = self.progress.heartbeat_seen_at.unwrap_or(self.now);
        if !is_over(seen, self.now, self.limits.silence) {
            return Next::Again {
                at: self.now + next_look(self.began, self.now),
                progress: self.progress,
            };
        }
        let minutes = self.limits.silence.as_secs() / 60;
        if status.attempt == 0 {
            let message = format!(
                "The extension has not taken {} for {minutes} minutes.",
                self.resource_name
            );
            return self.fail(
                Code::KubernetesBackupCustomResourcesTrackingTimeOutError,
                message,
            );
        }
        let code = match self.kind {
            JobKind::Backup | JobKind::Preview | JobKind::Forget => {
                Code::UserErrorBackupPluginPodRestartedDuringBackup
            }
            JobKind::Restore => Code::UserErrorBackupPluginPodRestartedDuringRestore,
        };
        let message = format!(
            "The extension gave no sign of life for {minutes} minutes at step {} (attempt {}) and \
             did not come back.",
            status.step, status.attempt
        );
        self.fail(code, message)
    }

    fn fail(self, code: Code, message: String) -> Next {
        Next::Fail {
            progress: self.progress,
            problem: Problem::new(code, message),
            outcome: None,
        }
    }
}

/// How long to wait before the next attempt: as long as it has been out of reach already, so that
/// waits double, within limits.
pub(in crate::worker) fn retry_after(since: Timestamp, now: Timestamp) -> Duration {
    let elapsed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    elapsed.clamp(FIRST_RETRY, LONGEST_RETRY)
}

/// How long after this look at a job that began then the next one comes.
fn next_look(began: Timestamp, now: Timestamp) -> Duration {
    let ran = Duration::try_from(now.duration_since(began)).unwrap_or_default();
    (ran / OBSERVE_SHARE).clamp(OBSERVE_SOONEST, OBSERVE_EVERY)
}

fn is_over(since: Timestamp, now: Timestamp, limit: Duration) -> bool {
    Duration::try_from(now.duration_since(since)).unwrap_or_default() > limit
}

fn outcome(status: &JobStatus) -> Outcome {
    Outcome {
        with_warnings: status.state == JobState::CompletedWithWarnings,
        manifest_digest: status.manifest_digest.clone(),
        plan_digest: status.plan_digest.clone(),
        report_attempt: status.report_attempt,
        counts: status.counts.clone(),
        bytes: status.bytes,
        new_bytes: status.new_bytes,
        findings: u64::from(status.findings),
        cut: status.cut.clone(),
        completed: status.completed,
    }
}

/// The extension's own account of a failure. A code that this version does not know keeps its name
/// in the message.
fn failure(status: &JobStatus) -> Problem {
    match &status.error {
        None => Problem::new(
            Code::InternalServerError,
            format!(
                "The extension ended the job as failed at step {} without a reason.",
                status.step
            ),
        ),
        Some(error) => match Code::parse(&error.code) {
            Some(code) => Problem::new(code, error.message.clone()),
            None => Problem::new(
                Code::InternalServerError,
                format!("{}: {}", error.code, error.message),
            ),
        },
    }
}

#[cfg(test)]
mod tests;
