//! Every case of a look at a job, without a cluster.

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
        began: START,
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
    assert_eq!(at, after(1) + next_look(START, after(1)));
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
    for (now, heartbeat, attempt) in [(1, 1, 1), (30, 1, 1), (60, 1, 1), (61, 61, 2), (120, 61, 2)]
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
    let first = running(Progress::default(), after(1)).after_look(Ok(Some(JobStatus::default())));
    let next = running(progress_of(&first), after(62)).after_look(Ok(Some(JobStatus::default())));
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
fn a_sealed_backup_waits_for_its_store_and_says_at_the_end_that_nothing_is_lost() {
    let away = || {
        Problem::new(
            Code::UserErrorBackupStorageLocationNotReady,
            "Nobody answers.",
        )
    };
    let first = running(Progress::default(), after(10)).after_store_error(away(), false);
    assert_eq!(code_of(&first), None);
    let hours = JobLimits::default().sealed.as_secs().cast_signed();
    let patient = running(progress_of(&first), after(hours)).after_store_error(away(), false);
    assert!(matches!(patient, Next::Again { .. }), "{patient:?}");
    let over = running(progress_of(&first), after(hours + 11)).after_store_error(away(), false);
    let Next::Fail { problem, .. } = over else {
        panic!("{over:?}")
    };
    assert_eq!(problem.code, Code::UserErrorBackupStorageLocationNotReady);
    assert!(problem.message.contains("by itself"), "{problem}");
    let damaged = Problem::new(Code::RecoveryPointCorrupt, "Not what was written.");
    let next = running(Progress::default(), after(1)).after_store_error(damaged, true);
    assert_eq!(code_of(&next), Some(Code::RecoveryPointCorrupt));
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
    let next = running(Progress::default(), after(now)).after_look(Ok(Some(collecting(now, 1))));
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

#[test]
fn a_job_is_looked_at_again_after_a_twentieth_of_its_time() {
    let pause = |seconds| next_look(START, after(seconds));
    assert_eq!(pause(0), Duration::from_millis(25));
    assert_eq!(pause(2), Duration::from_millis(100));
    assert_eq!(pause(3_600), Duration::from_secs(1));
    assert_eq!(next_look(after(5), START), Duration::from_millis(25));
}
