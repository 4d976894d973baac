//! Jobs: what may follow what, and that an end is an end.

use super::*;
use crate::error::Code;
use crate::report::ObjectOutcome;
use proptest::prelude::*;
use uuid::Uuid;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn job() -> Job {
    let instance = ArmId::of_resource_group("s", "rg").provider(
        "Microsoft.DataProtection",
        "backupVaults",
        "v",
    );
    Job::start(
        JobId(Uuid::nil()),
        JobOperation::Backup,
        instance.child("backupInstances", "web"),
        at(0),
    )
}

fn counts_with_a_finding() -> Counts {
    let mut counts = Counts::default();
    let types = crate::ResourceType::new("", "v1", "Pod", "pods", true);
    let object = crate::ObjectRef::new(&types, Some("n"), "p");
    counts.add(
        &ObjectOutcome::new(object, crate::report::Outcome::Failed, "x")
            .with_code(Code::ObjectTooLarge),
    );
    counts
}

#[test]
fn a_backup_runs_through_its_steps_and_remembers_when() {
    let mut running = job();
    for (second, step) in JobOperation::Backup.steps().iter().enumerate() {
        running = running.enter_step(*step, at(second as i64)).unwrap();
    }
    assert_eq!(running.status(), "InProgress");
    assert!(running.progress_percent() < 100);
    let ended = running.complete(Counts::default(), at(9)).unwrap();
    assert_eq!(
        (ended.status(), ended.steps.len(), ended.progress_percent()),
        ("Completed", 7, 100)
    );
    assert_eq!(ended.steps[6].ended, at(9));
}

#[test]
fn a_step_taken_over_after_a_crash_is_one_step() {
    let job = job()
        .enter_step(Step::Collect, at(1))
        .unwrap()
        .enter_step(Step::Collect, at(5))
        .unwrap();
    let job = job.enter_step(Step::Seal, at(7)).unwrap();
    assert_eq!(
        job.steps,
        [FinishedStep {
            step: Step::Collect,
            started: at(1),
            ended: at(7)
        }]
    );
}

#[test]
fn findings_make_a_completed_job_completed_with_warnings() {
    assert_eq!(
        job()
            .complete(counts_with_a_finding(), at(1))
            .unwrap()
            .status(),
        "CompletedWithWarnings"
    );
}

#[test]
fn a_job_is_cancelled_only_on_request_and_may_complete_first() {
    assert!(job().cancelled(at(1)).is_err());
    let cancelling = job().request_cancel(at(1)).unwrap();
    assert_eq!(cancelling.status(), "Cancelling");
    assert_eq!(
        cancelling.clone().cancelled(at(2)).unwrap().status(),
        "Cancelled"
    );
    assert_eq!(
        cancelling
            .complete(Counts::default(), at(2))
            .unwrap()
            .status(),
        "Completed"
    );
}

#[test]
fn a_job_survives_json_in_every_state() {
    let states = [
        job(),
        job()
            .enter_step(Step::Open, at(1))
            .unwrap()
            .request_cancel(at(2))
            .unwrap(),
        job()
            .fail(Problem::new(Code::ClusterLostDuringJob, "gone"), at(3))
            .unwrap(),
        job().complete(counts_with_a_finding(), at(3)).unwrap(),
    ];
    for job in states {
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job, "{text}");
    }
}

#[test]
fn every_step_reads_back_from_its_name() {
    for operation in JobOperation::ALL {
        for step in operation.steps() {
            assert_eq!(step.as_str().parse(), Ok(*step));
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_job_ends_at_most_once_and_then_never_changes(actions in prop::collection::vec(0u8..5, 0..20)) {
        let mut job = job();
        for (second, action) in actions.iter().enumerate() {
            let now = at(second as i64);
            let before = job.clone();
            let next = match action {
                0 => job.clone().enter_step(Step::Collect, now),
                1 => job.clone().request_cancel(now),
                2 => job.clone().complete(Counts::default(), now),
                3 => job.clone().fail(Problem::new(Code::Conflict, "x"), now),
                _ => job.clone().cancelled(now),
            };
            if before.has_ended() {
                prop_assert!(next.is_err());
            }
            if let Ok(next) = next {
                job = next;
            }
        }
    }
}
