//! What follows from what was observed: pure, so that every case is a test without a cluster.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use strongroom_core::error::{Code, Problem};
use strongroom_kubernetes::crd::{JobState, JobStatus};

use crate::app::jobs::{Outcome, Progress, StepSeen};
use crate::cluster_link::{JobKind, LinkError, Remedy};
use crate::worker::limits::{FIRST_RETRY, JobLimits, LONGEST_RETRY, OBSERVE_EVERY};

/// How much longer than the extension the server waits for a job's deadline: the extension ends the
/// job by itself and says how far it came, which is worth more than "too late".
const DEADLINE_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// A running job, as far as decisions need it.
#[derive(Debug, Clone)]
pub(super) struct Running<'a> {
    pub(super) kind: JobKind,
    pub(super) resource_name: &'a str,
    pub(super) created_at: Timestamp,
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
                        let problem = failure(&status);
                        Next::Fail {
                            progress: self.progress,
                            problem,
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
        }
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
    }

    fn after_sign_of_life(self, status: &JobStatus) -> Next {
        let deadline =
            SignedDuration::try_from(self.limits.deadline).unwrap_or(SignedDuration::MAX);
        if self.now.duration_since(self.created_at) > deadline.saturating_add(DEADLINE_GRACE) {
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
                at: self.now + OBSERVE_EVERY,
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
            JobKind::Backup => Code::UserErrorBackupPluginPodRestartedDuringBackup,
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
        }
    }
}

/// How long to wait before the next attempt: as long as it has been out of reach already, so that
/// waits double, within limits.
pub(in crate::worker) fn retry_after(since: Timestamp, now: Timestamp) -> Duration {
    let elapsed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    elapsed.clamp(FIRST_RETRY, LONGEST_RETRY)
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
mod tests {
    use super::*;
    use strongroom_kubernetes::crd::JobError;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        START + SignedDuration::from_secs(seconds)
    }

    fn running(progress: Progress, now: Timestamp) -> Running<'static> {
        static LIMITS: std::sync::LazyLock<JobLimits> = std::sync::LazyLock::new(|| JobLimits {
            unavailable: Duration::from_secs(120),
            silence: Duration::from_secs(60),
            ..JobLimits::default()
        });
        Running {
            kind: JobKind::Backup,
            resource_name: "backup-1",
            created_at: START,
            progress,
            now,
            limits: &LIMITS,
        }
    }

    fn collecting(heartbeat: i64, attempt: u32) -> JobStatus {
        JobStatus {
            state: JobState::Running,
            step: "collect".into(),
            attempt,
            heartbeat: Some(after(heartbeat)),
            ..JobStatus::default()
        }
    }

    fn unreachable() -> LinkError {
        LinkError {
            problem: Problem::new(Code::UserErrorClusterUnreachable, "Nobody answers."),
            remedy: Remedy::Wait,
        }
    }

    fn progress_of(next: &Next) -> Progress {
        match next {
            Next::Again { progress, .. }
            | Next::Ended { progress, .. }
            | Next::Fail { progress, .. } => progress.clone(),
        }
    }

    fn code_of(next: &Next) -> Option<Code> {
        match next {
            Next::Fail { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    #[test]
    fn a_running_job_is_looked_at_again_and_its_steps_are_remembered() {
        let next = running(Progress::default(), after(1)).after_look(Ok(Some(collecting(1, 1))));
        let Next::Again { progress, at } = next else {
            panic!("{next:?}")
        };
        assert_eq!(at, after(2));
        assert_eq!(
            progress.steps,
            [StepSeen {
                name: "collect".into(),
                since: after(1)
            }]
        );
        let mut sealing = collecting(2, 1);
        sealing.step = "seal".into();
        let next = running(progress, after(2)).after_look(Ok(Some(sealing)));
        assert_eq!(progress_of(&next).steps.len(), 2);
    }

    #[test]
    fn an_extension_that_comes_back_within_the_limit_goes_on() {
        let mut progress = Progress::default();
        // The heartbeat stands still for less than the limit, then a second attempt begins.
        for (now, heartbeat, attempt) in
            [(1, 1, 1), (30, 1, 1), (60, 1, 1), (61, 61, 2), (120, 61, 2)]
        {
            let next =
                running(progress, after(now)).after_look(Ok(Some(collecting(heartbeat, attempt))));
            assert_eq!(code_of(&next), None, "at {now}");
            progress = progress_of(&next);
        }
    }

    #[test]
    fn an_extension_that_does_not_come_back_fails_the_job() {
        let first = running(Progress::default(), after(1)).after_look(Ok(Some(collecting(1, 3))));
        let next = running(progress_of(&first), after(62)).after_look(Ok(Some(collecting(1, 3))));
        assert_eq!(
            code_of(&next),
            Some(Code::UserErrorBackupPluginPodRestartedDuringBackup)
        );
    }

    #[test]
    fn clocks_that_differ_do_not_matter() {
        // The cluster's clock is a day behind: only that the heartbeat changes counts.
        let mut progress = Progress::default();
        for second in 0..100 {
            let status = collecting(second - 86_400, 1);
            let next = running(progress, after(second)).after_look(Ok(Some(status)));
            assert_eq!(code_of(&next), None);
            progress = progress_of(&next);
        }
    }

    #[test]
    fn a_job_that_nobody_takes_is_said_so() {
        let first =
            running(Progress::default(), after(1)).after_look(Ok(Some(JobStatus::default())));
        let next =
            running(progress_of(&first), after(62)).after_look(Ok(Some(JobStatus::default())));
        assert_eq!(
            code_of(&next),
            Some(Code::KubernetesBackupCustomResourcesTrackingTimeOutError)
        );
    }

    #[test]
    fn a_cluster_that_comes_back_costs_nothing_and_one_that_stays_away_the_job() {
        let began = running(Progress::default(), after(1)).after_look(Ok(Some(collecting(1, 1))));
        let lost = running(progress_of(&began), after(2)).after_look(Err(unreachable()));
        let Next::Again { progress, at } = lost else {
            panic!("{lost:?}")
        };
        assert_eq!(at, after(3));
        assert_eq!(progress.unavailable_since, Some(after(2)));

        let back = running(progress.clone(), after(100)).after_look(Ok(Some(collecting(99, 1))));
        assert_eq!(progress_of(&back).unavailable_since, None);

        let still_lost = running(progress.clone(), after(62)).after_look(Err(unreachable()));
        assert!(
            matches!(still_lost, Next::Again { at, .. } if at == after(62 + 30)),
            "{still_lost:?}"
        );
        let lost_for_good = running(progress, after(123)).after_look(Err(unreachable()));
        assert_eq!(code_of(&lost_for_good), Some(Code::ClusterLostDuringJob));
    }

    #[test]
    fn a_job_that_never_began_fails_with_what_kept_it_from_beginning() {
        let progress = Progress {
            unavailable_since: Some(after(0)),
            ..Progress::default()
        };
        let next = running(progress, after(121)).after_error(unreachable());
        assert_eq!(code_of(&next), Some(Code::UserErrorClusterUnreachable));
    }

    #[test]
    fn an_error_that_stays_fails_at_once() {
        let error = LinkError::lasting(Code::AdmissionRefused, "A webhook says no.");
        let next = running(Progress::default(), after(1)).after_look(Err(error));
        assert_eq!(code_of(&next), Some(Code::AdmissionRefused));
    }

    #[test]
    fn a_custom_resource_that_somebody_removed_fails_the_job() {
        let next = running(Progress::default(), after(1)).after_look(Ok(None));
        assert_eq!(
            code_of(&next),
            Some(Code::KubernetesBackupCustomResourcesTrackingTimeOutError)
        );
    }

    #[test]
    fn the_extensions_reason_is_taken_over_and_an_unknown_code_keeps_its_name() {
        let failed = |code: &str| JobStatus {
            state: JobState::Failed,
            error: Some(JobError {
                code: code.into(),
                message: "No room.".into(),
                ..JobError::default()
            }),
            ..JobStatus::default()
        };
        let look = |status| running(Progress::default(), after(1)).after_look(Ok(Some(status)));
        assert_eq!(
            code_of(&look(failed("BackupStorageLocationFull"))),
            Some(Code::BackupStorageLocationFull)
        );
        let Next::Fail { problem, .. } = look(failed("FromTheFuture")) else {
            panic!()
        };
        assert_eq!(problem.code, Code::InternalServerError);
        assert!(problem.message.contains("FromTheFuture"));
    }

    #[test]
    fn the_deadline_ends_a_job_that_still_beats() {
        let hours = JobLimits::default().deadline.as_secs().cast_signed();
        let now = hours + 61;
        let next =
            running(Progress::default(), after(now)).after_look(Ok(Some(collecting(now, 1))));
        assert_eq!(code_of(&next), Some(Code::JobDeadlineExceeded));
    }

    #[test]
    fn success_carries_what_the_extension_claims() {
        let status = JobStatus {
            state: JobState::CompletedWithWarnings,
            manifest_digest: Some("abc".into()),
            findings: 2,
            ..JobStatus::default()
        };
        let next = running(Progress::default(), after(1)).after_look(Ok(Some(status)));
        let Next::Ended { outcome, .. } = next else {
            panic!("{next:?}")
        };
        assert!(outcome.with_warnings);
        assert_eq!(outcome.manifest_digest.as_deref(), Some("abc"));
        assert_eq!(outcome.findings, 2);
    }
}
