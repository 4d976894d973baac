//! Status conditions: the one place where our states and errors become what `kubectl` shows.
//!
//! Contract: types are positive and few (`Ready` and `SnapshotsPresent` for the extension; `Complete` and `Failed` for a
//! job, as of `batch/v1` Jobs, so that `kubectl wait --for=condition=Complete` works). A condition's
//! time is that of its last change of status, not of its last writing.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::{JobState, JobStatus};

/// The extension takes jobs.
pub const READY: &str = "Ready";
/// All volume snapshots of recovery points are in the cluster, as the extension last saw it.
pub const SNAPSHOTS_PRESENT: &str = "SnapshotsPresent";
/// The job is done, with or without warnings.
pub const COMPLETE: &str = "Complete";
/// The job could not be done.
pub const FAILED: &str = "Failed";

/// Sets one condition; its time stays when its status does. Condition times are written to the second
/// (`metav1.Time`), so that is what is kept: what is read back equals what was written.
pub fn set(
    conditions: &mut Vec<Condition>,
    kind: &str,
    status: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) {
    let status = if status { "True" } else { "False" };
    let before = conditions.iter().position(|one| one.type_ == kind);
    let since = before
        .and_then(|at| conditions.get(at))
        .filter(|one| one.status == status)
        .map_or(Time(to_the_second(now)), |one| {
            one.last_transition_time.clone()
        });
    let condition = Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
        last_transition_time: since,
    };
    match before.and_then(|at| conditions.get_mut(at)) {
        Some(place) => *place = condition,
        None => conditions.push(condition),
    }
}

fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The conditions of a job, from its state. The reason is the error's code when it failed.
pub fn of_job(status: &mut JobStatus, now: Timestamp) {
    let done = matches!(
        status.state,
        JobState::Completed | JobState::CompletedWithWarnings
    );
    let failed = status.state == JobState::Failed;
    let generation = Some(status.observed_generation);
    let step = status.step.clone();
    let (reason, message) = match &status.error {
        Some(error) if failed => (error.code.clone(), error.message.clone()),
        _ => (status.state.as_str().to_owned(), step),
    };
    let conditions = &mut status.conditions;
    set(
        conditions, COMPLETE, done, &reason, &message, generation, now,
    );
    set(
        conditions, FAILED, failed, &reason, &message, generation, now,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::JobError;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn condition<'a>(status: &'a JobStatus, kind: &str) -> &'a Condition {
        status
            .conditions
            .iter()
            .find(|one| one.type_ == kind)
            .unwrap()
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut status = JobStatus {
            state: JobState::Running,
            ..JobStatus::default()
        };
        of_job(&mut status, at(10));
        of_job(&mut status, at(20));
        assert_eq!(
            condition(&status, COMPLETE).last_transition_time,
            Time(at(10))
        );
        status.state = JobState::CompletedWithWarnings;
        of_job(&mut status, at(30));
        assert_eq!(condition(&status, COMPLETE).status, "True");
        assert_eq!(
            condition(&status, COMPLETE).last_transition_time,
            Time(at(30))
        );
        assert_eq!(
            condition(&status, FAILED).last_transition_time,
            Time(at(10))
        );
        assert_eq!(status.conditions.len(), 2);
    }

    #[test]
    fn a_failed_job_names_its_code_as_the_reason() {
        let error = JobError {
            code: "UserErrorStorageUnreachable".into(),
            message: "the store does not answer".into(),
            recommended_action: String::new(),
        };
        let mut status = JobStatus {
            state: JobState::Failed,
            error: Some(error),
            ..JobStatus::default()
        };
        of_job(&mut status, at(10));
        let failed = condition(&status, FAILED);
        assert_eq!(
            (failed.status.as_str(), failed.reason.as_str()),
            ("True", "UserErrorStorageUnreachable")
        );
        assert_eq!(condition(&status, COMPLETE).status, "False");
    }
}
