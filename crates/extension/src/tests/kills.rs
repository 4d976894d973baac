//! Kills at every step and at every call to the store: the next process brings each job to the end
//! that it would have had.

use strongroom_kubernetes::crd::JobState;
use strongroom_simulation::api_server::Fault;
use strongroom_simulation::object_store::Verdict;

use super::application::{self, assert_equal, objects};
use super::stage::{Stage, assert_completed, outcomes, patiently, status};

const MOMENTS: [&str; 3] = ["before", "during", "after"];
const BACKUP_STEPS: [&str; 6] = ["open", "discover", "plan", "collect", "report", "seal"];
const RESTORE_STEPS: [&str; 6] = ["open", "discover", "apply", "relink", "hooks", "report"];

/// Places of these steps; only two steps have a middle.
fn places(steps: &[&str]) -> Vec<String> {
    let has = |step: &str, moment: &str| moment != "during" || ["collect", "apply"].contains(&step);
    steps
        .iter()
        .flat_map(|step| MOMENTS.iter().map(move |moment| (*step, *moment)))
        .filter(|(step, moment)| has(step, moment))
        .map(|(step, moment)| format!("{step}:{moment}"))
        .collect()
}

#[tokio::test]
async fn a_backup_that_is_killed_at_any_step_is_sealed_once_by_the_next_process() {
    for place in places(&BACKUP_STEPS) {
        let stage = Stage::new().await;
        application::deploy(&stage.api, "shop");
        let spec = stage.backup_of(&["shop"]);
        let name = stage.submit_backup(&spec).await;
        stage.kill_at(&place).await;
        assert_eq!(
            status(&stage.api, &name).unwrap().state,
            JobState::Running,
            "{place}"
        );
        let process = stage.start();
        let ended = stage.ended(&name).await;
        drop(process);
        assert_completed(&ended);
        assert_eq!(ended.attempt, 2, "{place}");
        let repository = stage.repository().await;
        assert_eq!(
            repository.points().await.unwrap(),
            [spec.recovery_point_id],
            "{place}"
        );
        let lines = stage.report(spec.job_id, &ended).await;
        assert_eq!(
            ended.counts.values().sum::<u64>() - ended.counts.get("NotSelected").unwrap_or(&0),
            lines.len() as u64,
            "{place}: {ended:#?}"
        );
    }
}

#[tokio::test]
async fn a_backup_that_is_killed_at_any_call_to_the_store_is_sealed_once() {
    for lost_reply in [false, true] {
        for call in 1.. {
            let stage = Stage::new().await;
            application::deploy(&stage.api, "shop");
            let spec = stage.backup_of(&["shop"]);
            let name = stage.submit_backup(&spec).await;
            stage
                .store
                .decide(move |number, _, _| match (number == call, lost_reply) {
                    (false, _) => Verdict::Pass,
                    (true, false) => Verdict::Hang,
                    (true, true) => Verdict::HangAfter,
                });
            let process = stage.start();
            let killed = tokio::select! {
                () = stage.store.hung() => true,
                ended = stage.ended(&name) => { assert_completed(&ended); false }
            };
            drop(process);
            stage.store.heal();
            if !killed {
                assert!(call > 5, "the backup makes some calls to the store");
                break;
            }
            let process = stage.start();
            assert_completed(&stage.ended(&name).await);
            drop(process);
            let repository = stage.repository().await;
            assert_eq!(repository.points().await.unwrap(), [spec.recovery_point_id]);
            let point = repository.point(spec.recovery_point_id).await.unwrap();
            assert!(
                point
                    .runs()
                    .iter()
                    .any(|run| run.group == "widgets.example.com")
            );
        }
    }
}

/// A stage with a recovery point of an application that is lost, and what a restore of it that
/// nobody disturbs says.
async fn lost() -> (Stage, uuid::Uuid, Vec<serde_json::Value>, Vec<String>) {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let backup = stage.backup_of(&["shop"]);
    assert_completed(&stage.back_up(&backup).await);
    let before = objects(&stage.api, "shop");
    stage.api.delete("namespaces", None, "shop");
    let spec = stage.restore_spec(backup.recovery_point_id);
    let status = stage.restore(&spec).await;
    let told = outcomes(&stage.report(spec.job_id, &status).await);
    stage.api.delete("namespaces", None, "shop");
    (stage, backup.recovery_point_id, before, told)
}

#[tokio::test]
async fn a_restore_that_is_killed_at_any_step_ends_as_if_it_had_not_been() {
    for place in places(&RESTORE_STEPS) {
        let (stage, point, before, told) = lost().await;
        let spec = stage.restore_spec(point);
        let name = stage.submit_restore(&spec).await;
        stage.kill_at(&place).await;
        let process = stage.start();
        let ended = stage.ended(&name).await;
        drop(process);
        assert_completed(&ended);
        assert_eq!(ended.attempt, 2, "{place}");
        assert_equal(&before, &objects(&stage.api, "shop"));
        // What the killed process created is told as created, not as found there.
        assert_eq!(
            outcomes(&stage.report(spec.job_id, &ended).await),
            told,
            "{place}"
        );
    }
}

#[tokio::test]
async fn a_restore_that_is_killed_at_any_call_to_the_store_ends_as_if_it_had_not_been() {
    for call in 1.. {
        let (stage, point, before, told) = lost().await;
        let spec = stage.restore_spec(point);
        let name = stage.submit_restore(&spec).await;
        stage.store.decide(move |number, _, _| {
            if number == call {
                Verdict::HangAfter
            } else {
                Verdict::Pass
            }
        });
        let process = stage.start();
        let killed = tokio::select! {
            () = stage.store.hung() => true,
            ended = stage.ended(&name) => { assert_completed(&ended); false }
        };
        drop(process);
        stage.store.heal();
        if !killed {
            assert!(call > 5, "the restore makes some calls to the store");
            break;
        }
        let process = stage.start();
        let ended = stage.ended(&name).await;
        drop(process);
        assert_completed(&ended);
        assert_equal(&before, &objects(&stage.api, "shop"));
        assert_eq!(
            outcomes(&stage.report(spec.job_id, &ended).await),
            told,
            "call {call}"
        );
    }
}

#[tokio::test]
async fn a_restore_that_is_killed_in_the_middle_of_a_batch_knows_its_own_objects_from_others() {
    let (stage, point, before, told) = lost().await;
    let spec = stage.restore_spec(point);
    let name = stage.submit_restore(&spec).await;
    // One object of the batch of configuration never gets its answer; the others are made.
    stage.api.inject(Fault {
        method: Some("POST"),
        path: "/namespaces/shop/secrets".into(),
        status: 0,
        reason: String::new(),
        message: String::new(),
        times: 1,
    });
    let process = stage.start();
    let made = |api: &strongroom_simulation::api_server::ApiServer| {
        api.get("configmaps", Some("shop"), "settings")
    };
    patiently("the config map", stage.api.until(made)).await;
    drop(process);
    let process = stage.start();
    let ended = stage.ended(&name).await;
    drop(process);
    assert_completed(&ended);
    assert_equal(&before, &objects(&stage.api, "shop"));
    assert_eq!(outcomes(&stage.report(spec.job_id, &ended).await), told);
}

#[tokio::test]
async fn of_two_processes_only_the_later_taker_of_a_job_brings_it_to_its_end() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    let name = stage.submit_backup(&spec).await;
    // The first process is slow: its list of config maps never ends.
    stage.api.inject(Fault {
        method: Some("GET"),
        path: "/shop/configmaps?".into(),
        status: 0,
        reason: String::new(),
        message: String::new(),
        times: 1,
    });
    let slow = stage.start();
    patiently("the list", stage.api.hung()).await;
    let quick = stage.start();
    let ended = stage.ended(&name).await;
    assert_completed(&ended);
    assert_eq!(ended.attempt, 2);
    drop((slow, quick));
    assert_eq!(
        stage.repository().await.points().await.unwrap(),
        [spec.recovery_point_id]
    );
}
