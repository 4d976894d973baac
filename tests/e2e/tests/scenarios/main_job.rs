//! Protect an application, lose it, get it back.

use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample;
use strongroom_e2e::stage::{INSTANCE, VAULT};
use strongroom_e2e::state::State;

use super::stage_of_tests::{TestStage, status};

use std::time::Duration;

#[test]
fn a_lost_application_comes_back_object_by_object() {
    let stage = TestStage::protected();
    let before = sample::state(&stage.kubectl).unwrap();
    assert!(
        before.objects.len() >= 25 && before.kinds() >= 12,
        "{} objects in {} kinds",
        before.objects.len(),
        before.kinds()
    );

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    sample::lose(&stage.kubectl).unwrap();

    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    stage.kubectl.wait_rolled_out(sample::NAMESPACE).unwrap();
    let after = sample::state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(sample::ready_pods(&stage.kubectl).unwrap(), 5);
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn a_finished_job_of_the_application_does_not_run_again() {
    let stage = TestStage::protected();
    stage.back_up().unwrap();
    sample::lose(&stage.kubectl).unwrap();
    stage.restore(&[]).unwrap();
    stage.kubectl.wait_rolled_out(sample::NAMESPACE).unwrap();
    let job = stage
        .kubectl
        .json(&["-n", sample::NAMESPACE, "get", "job", "migrate-schema"])
        .unwrap();
    assert_eq!(job["status"]["succeeded"], 1, "{job:#}");
    let pods = stage
        .kubectl
        .json(&[
            "-n",
            sample::NAMESPACE,
            "get",
            "pods",
            "-l",
            "batch.kubernetes.io/job-name=migrate-schema",
        ])
        .unwrap();
    for pod in pods["items"].as_array().unwrap() {
        // RFC 3339 times in UTC compare as texts. A container that ended before its pod was made has not run in it.
        let ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
            .as_str()
            .unwrap();
        let made = pod["metadata"]["creationTimestamp"].as_str().unwrap();
        assert!(ended < made, "the migration ran a second time: {pod:#}");
    }
}

#[test]
fn validating_a_restore_says_what_would_be_made_and_makes_nothing() {
    let stage = TestStage::protected();
    stage.back_up().unwrap();
    sample::lose(&stage.kubectl).unwrap();
    let point = stage.recovery_points().unwrap().remove(0);
    stage
        .cli
        .run(&[
            "restore",
            "validate",
            INSTANCE,
            "--vault",
            VAULT,
            "--recovery-point",
            &point,
        ])
        .unwrap();
    assert!(
        !stage
            .kubectl
            .succeeds(&["get", "namespace", sample::NAMESPACE])
            .unwrap(),
        "validation created the namespace"
    );
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn restoring_with_skip_leaves_what_exists_and_with_patch_brings_it_back() {
    let stage = TestStage::protected();
    stage.back_up().unwrap();
    let change = [
        "-n",
        sample::NAMESPACE,
        "patch",
        "configmap",
        "site",
        "--type=merge",
        "-p",
        r#"{"data":{"index.html":"defaced"}}"#,
    ];
    stage.kubectl.run(&change).unwrap();
    let defaced = State::take(&stage.kubectl, sample::NAMESPACE).unwrap();

    let skip = stage.restore(&["--conflict-policy", "skip"]).unwrap();
    assert!(
        ["Completed", "CompletedWithWarnings"].contains(&status(&skip)),
        "{skip:#}"
    );
    let after_skip = State::take(&stage.kubectl, sample::NAMESPACE).unwrap();
    assert_eq!(defaced.differences(&after_skip), Vec::<String>::new());

    let patch = stage.restore(&["--conflict-policy", "patch"]).unwrap();
    assert_eq!(status(&patch), "Completed", "{}", stage.told(&patch));
    let page = stage
        .kubectl
        .json(&["-n", sample::NAMESPACE, "get", "configmap", "site"])
        .unwrap();
    assert!(
        page["data"]["index.html"]
            .as_str()
            .unwrap()
            .contains("Everything must go"),
        "{page:#}"
    );
}

#[test]
fn an_application_is_restored_beside_itself_under_another_name() {
    let stage = TestStage::protected();
    stage.back_up().unwrap();
    let restore = stage
        .restore(&["--namespace-mapping", "shop=shop-copy"])
        .unwrap();
    assert!(
        ["Completed", "CompletedWithWarnings"].contains(&status(&restore)),
        "{restore:#}"
    );
    stage.kubectl.wait_rolled_out("shop-copy").unwrap();
    let subjects = stage
        .kubectl
        .json(&[
            "-n",
            "shop-copy",
            "get",
            "rolebinding",
            "shop-config-reader",
        ])
        .unwrap();
    assert_eq!(
        subjects["subjects"][0]["namespace"], "shop-copy",
        "{subjects:#}"
    );
    stage.kubectl.delete_namespace("shop-copy").unwrap();
}

#[test]
fn every_object_of_a_job_is_accounted_for_in_its_report() {
    let stage = TestStage::protected();
    let backup = stage.back_up().unwrap();
    let job = backup["name"].as_str().unwrap();
    let report = stage
        .cli
        .json(&["job", "report", job, "--vault", VAULT])
        .unwrap();
    let lines = report.as_array().unwrap();
    let of = |kind: &str, name: &str| {
        lines
            .iter()
            .find(|line| line["object"]["kind"] == kind && line["object"]["name"] == name)
    };
    assert_eq!(of("Deployment", "web").unwrap()["outcome"], "BackedUp");
    assert!(
        lines.iter().all(|line| line["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty())),
        "an outcome without a reason"
    );
}

#[test]
fn two_backups_leave_two_recovery_points_and_a_second_one_at_once_is_refused() {
    let stage = TestStage::protected();
    stage
        .cli
        .run(&["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"])
        .unwrap();
    let (code, told) =
        match stage
            .cli
            .fails(&["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"])
        {
            Ok(refusal) => refusal,
            Err(_the_first_was_already_done) => return,
        };
    assert_ne!(code, 0);
    assert!(told.contains("error["), "{told}");
    wait_for("the first backup to end", Duration::from_secs(60), || {
        let points = stage.recovery_points().map_err(|error| error.to_string())?;
        if points.len() == 1 {
            Ok(())
        } else {
            Err(format!("{} recovery points", points.len()))
        }
    })
    .unwrap();
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    assert_eq!(stage.recovery_points().unwrap().len(), 2);
}
