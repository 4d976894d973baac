//! Protect an application, lose it, get it back.

use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::{LEDGER, SHOP};
use strongroom_e2e::stage::{INSTANCE, VAULT};
use strongroom_e2e::state::State;

use super::stage_of_tests::{TestStage, status};

/// The pods of the sample that run for good: two of `web`, one each of `worker`, `cart`, `log-agent`.
const READY_PODS: usize = 5;

#[test]
fn a_lost_application_comes_back_object_by_object() {
    let stage = TestStage::protected(&SHOP);
    let before = SHOP.state(&stage.kubectl).unwrap();
    let (objects, kinds) = (before.objects.len(), before.kinds());
    assert!(
        objects >= 25 && kinds >= 12,
        "{objects} objects in {kinds} kinds"
    );

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    stage.every_object_is_accounted_for(&backup);
    stage.the_served_versions_are_told();

    SHOP.lose(&stage.kubectl).unwrap();
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
            .succeeds(&["get", "namespace", SHOP.namespace])
            .unwrap(),
        "the validation created the namespace"
    );

    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    stage.kubectl.wait_rolled_out(SHOP.namespace).unwrap();
    let after = SHOP.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(SHOP.ready_pods(&stage.kubectl).unwrap(), READY_PODS);
    stage.the_finished_job_did_not_run_again();
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn an_application_that_is_still_there_is_skipped_patched_or_restored_beside_itself() {
    let stage = TestStage::protected(&SHOP);
    stage.back_up().unwrap();
    let deface = r#"{"data":{"index.html":"defaced"}}"#;
    stage
        .kubectl
        .run(&[
            "-n",
            SHOP.namespace,
            "patch",
            "configmap",
            "site",
            "--type=merge",
            "-p",
            deface,
        ])
        .unwrap();
    let defaced = State::take(&stage.kubectl, SHOP.namespace).unwrap();

    let skip = stage.restore(&["--conflict-policy", "skip"]).unwrap();
    assert!(
        ["Completed", "CompletedWithWarnings"].contains(&status(&skip)),
        "{}",
        stage.told(&skip)
    );
    let after_skip = State::take(&stage.kubectl, SHOP.namespace).unwrap();
    assert_eq!(defaced.differences(&after_skip), Vec::<String>::new());

    let patch = stage.restore(&["--conflict-policy", "patch"]).unwrap();
    assert_eq!(status(&patch), "Completed", "{}", stage.told(&patch));
    let page = stage
        .kubectl
        .json(&["-n", SHOP.namespace, "get", "configmap", "site"])
        .unwrap();
    assert!(
        page["data"]["index.html"]
            .as_str()
            .unwrap()
            .contains("Everything must go"),
        "{page:#}"
    );

    let copy = stage
        .restore(&["--namespace-mapping", "shop=shop-copy"])
        .unwrap();
    assert!(
        ["Completed", "CompletedWithWarnings"].contains(&status(&copy)),
        "{}",
        stage.told(&copy)
    );
    stage.kubectl.wait_rolled_out("shop-copy").unwrap();
    let binding = stage
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
        binding["subjects"][0]["namespace"], "shop-copy",
        "{binding:#}"
    );
    stage.kubectl.delete_namespaces(&["shop-copy"]).unwrap();
}

#[test]
fn two_backups_leave_two_recovery_points_and_two_at_once_are_one_too_many() {
    let stage = TestStage::protected(&LEDGER);
    stage
        .cli
        .run(&["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"])
        .unwrap();
    // The first may be done already, then the second is welcome; else it is refused by code.
    if let Ok((_code, told)) = stage
        .cli
        .fails(&["backup", "start", INSTANCE, "--vault", VAULT])
    {
        assert!(
            told.contains("error[UserErrorJobAlreadyInProgress]"),
            "{told}"
        );
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
    }
    assert_eq!(stage.recovery_points().unwrap().len(), 2);
}

impl TestStage {
    fn every_object_is_accounted_for(&self, backup: &Value) {
        let job = backup["name"].as_str().unwrap();
        let report = self
            .cli
            .json(&["job", "report", job, "--vault", VAULT])
            .unwrap();
        let lines = report.as_array().unwrap();
        let web = |line: &&Value| {
            line["object"]["kind"] == "Deployment" && line["object"]["name"] == "web"
        };
        assert_eq!(lines.iter().find(web).unwrap()["outcome"], "BackedUp");
        let without_reason = lines
            .iter()
            .find(|line| line["reason"].as_str().is_none_or(str::is_empty));
        assert_eq!(without_reason, None);
    }

    fn the_served_versions_are_told(&self) {
        let words = ["recovery-point", "show", "latest", "--instance", INSTANCE];
        let point = self.cli.json(&[&words[..], &["--vault", VAULT]].concat());
        let point = point.unwrap();
        let cluster = &point["properties"]["cluster"];
        let version = cluster["version"].as_str().unwrap_or_default();
        assert!(version.starts_with("v1."), "{cluster:#}");
        let told = |resource: &str| {
            let types = cluster["servedTypes"].as_array().unwrap();
            let found = types.iter().find(|one| one["resource"] == resource);
            found.unwrap()
        };
        assert_eq!(told("deployments.apps")["heldVersion"], "v1");
        let scalers = told("horizontalpodautoscalers.autoscaling");
        assert_eq!(scalers["preferredVersion"], "v2");
        let served = scalers["servedVersions"].as_array().unwrap();
        assert!(served.len() > 1 && served[0] == "v2", "{scalers}");
    }

    fn the_finished_job_did_not_run_again(&self) {
        let job = self
            .kubectl
            .json(&["-n", SHOP.namespace, "get", "job", "migrate-schema"])
            .unwrap();
        assert_eq!(job["status"]["succeeded"], 1, "{job:#}");
        let of_the_job = "batch.kubernetes.io/job-name=migrate-schema";
        let pods = self
            .kubectl
            .json(&["-n", SHOP.namespace, "get", "pods", "-l", of_the_job])
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
}
