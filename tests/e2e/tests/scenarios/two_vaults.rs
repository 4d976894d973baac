//! Two vaults that protect one application and keep their recovery points in one container, under the same
//! name of the instance: neither sees or harms what is the other's.

use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

/// The second vault.
const ANNEX: &str = "annex";
/// How long the stored objects of a deleted instance may take to go.
const PURGED_WITHIN: Duration = Duration::from_secs(120);

#[test]
fn vaults_that_share_a_container_neither_see_nor_lose_each_others_recovery_points() {
    let stage = two_vaults();
    let before = LEDGER.state(&stage.kubectl).unwrap();
    for vault in [VAULT, ANNEX] {
        let backup = stage.job_of(vault, &["backup", "start"], &[]);
        assert_eq!(status(&backup), "Completed", "{backup:#}");
    }
    let (ours, others) = (stage.points_of(VAULT), stage.points_of(ANNEX));
    assert_eq!((ours.len(), others.len()), (1, 1), "{ours:?} {others:?}");
    assert_ne!(ours, others);
    let elsewhere = ["recovery-point", "show", &ours[0], "--instance", INSTANCE];
    let (_, told) = stage
        .cli
        .fails(&[&elsewhere[..], &["--vault", ANNEX]].concat())
        .unwrap();
    assert!(told.contains("error[ResourceNotFound]"), "{told}");
    assert_eq!(stage.manifests_of(&ours[0]).len(), 1);

    // The vault's soft delete is off, so this is for good, and what is stored goes.
    let delete = ["instance", "delete", INSTANCE, "--vault", VAULT];
    stage.cli.run(&delete).unwrap();
    wait_for(
        "the deleted instance's points to go",
        PURGED_WITHIN,
        || match stage.manifests_of(&ours[0]).as_slice() {
            [] => Ok(()),
            left => Err(format!("{left:?}")),
        },
    )
    .unwrap();
    assert_eq!(stage.manifests_of(&others[0]).len(), 1);
    let verify = ["recovery-point", "verify", "latest", "--instance", INSTANCE];
    let verified = stage
        .cli
        .json(&[&verify[..], &["--vault", ANNEX]].concat())
        .unwrap();
    assert_eq!(verified["state"], "Whole", "{verified:#}");
    LEDGER.lose(&stage.kubectl).unwrap();
    let latest = ["--recovery-point", "latest"];
    let restored = stage.job_of(ANNEX, &["restore", "start"], &latest);
    assert_eq!(status(&restored), "Completed", "{restored:#}");
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
}

#[test]
fn instances_that_restore_into_one_namespace_at_once_make_each_object_once() {
    let stage = two_vaults();
    let before = LEDGER.state(&stage.kubectl).unwrap();
    for vault in [VAULT, ANNEX] {
        let backup = stage.job_of(vault, &["backup", "start"], &[]);
        assert_eq!(status(&backup), "Completed", "{backup:#}");
    }
    LEDGER.lose(&stage.kubectl).unwrap();
    let options = ["--recovery-point", "latest", "--no-wait"];
    let started = [VAULT, ANNEX].map(|vault| {
        let started = stage.job_of(vault, &["restore", "start"], &options);
        (vault, started["jobId"].as_str().unwrap().to_owned())
    });
    let mut created = Vec::new();
    for (vault, job) in &started {
        let ended = ["job", "wait", job, "--vault", vault];
        let ended = stage.cli.json(&ended).unwrap();
        assert_eq!(status(&ended), "Completed", "{ended:#}");
        let report = ["job", "report", job, "--vault", vault];
        let report = stage.cli.json(&report).unwrap();
        let made = report.as_array().unwrap().iter();
        let made = made.filter(|line| line["outcome"] == "Created");
        created.extend(made.map(|line| line["object"].to_string()));
    }
    let count = created.len();
    created.sort();
    created.dedup();
    assert!(count > 5, "{created:#?}");
    assert_eq!(created.len(), count, "an object was made twice");
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

/// The stage's vault, whose deletes are final, and a second one that protects the same application in the
/// same cluster, and so through the same extension and container.
fn two_vaults() -> TestStage {
    let stage = TestStage::protected(&LEDGER);
    let final_deletes = ["vault", "create", VAULT, "--soft-delete", "off"];
    stage.cli.run(&final_deletes).unwrap();
    stage.cli.run(&["vault", "create", ANNEX]).unwrap();
    let policy = ["policy", "create", POLICY, "--vault", ANNEX];
    let rules = ["--interval", "PT4H", "--retention", "P7D"];
    let silent = ["--start", "2100-01-01T00:00:00+00:00"];
    stage
        .cli
        .run(&[&policy[..], &rules, &silent].concat())
        .unwrap();
    let grant = ["cluster", "grant", CLUSTER, "--vault", ANNEX];
    stage.cli.run(&grant).unwrap();
    let instance = ["instance", "create", INSTANCE, "--vault", ANNEX];
    let what = ["--policy", POLICY, "--cluster", CLUSTER];
    let chosen = ["--include-namespaces", LEDGER.namespace];
    stage
        .cli
        .run(&[&instance[..], &what, &chosen].concat())
        .unwrap();
    stage
}

impl TestStage {
    /// Starts a job of a vault's instance and returns what the command line says of it.
    fn job_of(&self, vault: &str, verb: &[&str], options: &[&str]) -> Value {
        let instance = [INSTANCE, "--vault", vault];
        let words = [verb, &instance[..], options].concat();
        self.cli.json(&words).unwrap()
    }

    fn points_of(&self, vault: &str) -> Vec<String> {
        let words = ["recovery-point", "list", "--instance", INSTANCE];
        let listed = self.cli.json(&[&words[..], &["--vault", vault]].concat());
        let listed = listed.unwrap();
        let names = listed.as_array().unwrap().iter();
        names
            .map(|point| point["name"].as_str().unwrap().to_owned())
            .collect()
    }
}
