//! A protection is suspended, stopped, deleted and brought back, and a job is cancelled while it runs: the
//! server dies in the midst of it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::{JOURNAL, LEDGER};
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

/// How long the server may take to die where it was told to, and a job to be seen where it should be.
const WITHIN: Duration = Duration::from_secs(120);

#[test]
fn a_deleted_protection_comes_back_with_its_points_and_is_resumed() {
    let mut stage = TestStage::protected(&LEDGER);
    let before = LEDGER.state(&stage.kubectl).unwrap();
    stage.back_up().unwrap();
    stage.instance("suspend");
    assert_eq!(stage.protection(), "BackupSchedulesSuspended");
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    stage.instance("stop");
    let (_, told) = stage
        .cli
        .fails(&["backup", "start", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert!(told.contains("its protection is stopped"), "{told}");

    stage
        .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", "instance_deleted")])
        .unwrap();
    // The answer is lost with the server; the delete is not.
    let delete = stage
        .cli
        .start(&["instance", "delete", INSTANCE, "--vault", VAULT])
        .unwrap();
    stage.server_dies();
    drop(delete);
    stage.restart_server(&[]).unwrap();
    let list = ["instance", "list", "--vault", VAULT];
    let found = stage.cli.json(&list).unwrap();
    assert_eq!(found, serde_json::json!([]));
    let deleted = stage
        .cli
        .json(&[&list[..], &["--deleted"]].concat())
        .unwrap();
    let info = &deleted[0]["properties"]["deletionInfo"];
    assert!(info["scheduledPurgeTime"].is_string(), "{deleted:#}");

    stage.instance("undelete");
    assert_eq!(stage.protection(), "ProtectionStopped");
    assert_eq!(stage.recovery_points().unwrap().len(), 2);
    stage.instance("resume");
    LEDGER.lose(&stage.kubectl).unwrap();
    let restored = stage.restore(&[]).unwrap();
    assert_eq!(status(&restored), "Completed", "{}", stage.told(&restored));
    let differences = before.differences(&LEDGER.state(&stage.kubectl).unwrap());
    assert_eq!(differences, Vec::<String>::new());
}

#[test]
fn a_backup_that_is_cancelled_while_it_stands_frozen_is_thawed_and_leaves_nothing() {
    let mut stage = TestStage::bare();
    JOURNAL.deploy(&stage.kubectl).unwrap();
    stage.create_vault().unwrap();
    stage.connect_cluster().unwrap();
    stage.hook("journal-hook-slow.yaml");
    let words = ["instance", "create", INSTANCE, "--vault", VAULT];
    let what = ["--policy", POLICY, "--cluster", CLUSTER];
    let chosen = ["--include-namespaces", JOURNAL.namespace];
    let hooks = ["--backup-hook", "journal/mark"];
    let all = [&words[..], &what, &chosen, &hooks].concat();
    stage.cli.run(&all).unwrap();

    stage
        .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", "cancelled_resource_deleted")])
        .unwrap();

    let started = ["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"];
    let started = stage.cli.json(&started).unwrap();
    let job = started["jobId"].as_str().unwrap().to_owned();
    stage.journal_says("frozen");
    let cancel = ["job", "cancel", &job, "--vault", VAULT];
    // The command may lose its server before it has an answer; the job is cancelled without it.
    let lost = stage.cli.start(&cancel).unwrap();
    stage.server_dies();
    drop(lost);
    stage.restart_server(&[]).unwrap();
    // Again is no error, and waits for the end.
    let ended = stage.cli.json(&cancel).unwrap();
    assert_eq!(status(&ended), "Cancelled", "{ended:#}");
    stage.journal_says("frozen\nthawed");
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
    assert_eq!(stage.recovery_points().unwrap(), Vec::<String>::new());

    // The instance is free, and the application whole.
    stage.hook("journal-hook.yaml");
    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    let export = ["job", "export", "--vault", VAULT, "--format", "csv"];
    let table = stage.cli.run(&export).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains(",Cancelled,"), "{table}");
}

impl TestStage {
    /// Does something to the stage's instance.
    fn instance(&self, verb: &str) {
        let words = ["instance", verb, INSTANCE, "--vault", VAULT];
        self.cli.run(&words).unwrap();
    }

    fn protection(&self) -> String {
        let words = ["instance", "show", INSTANCE, "--vault", VAULT];
        let found: Value = self.cli.json(&words).unwrap();
        let state = found["properties"]["currentProtectionState"].as_str();
        state.unwrap_or_default().to_owned()
    }

    fn server_dies(&mut self) {
        let server = self.server().unwrap();
        wait_for("the server to die where it was told to", WITHIN, || {
            let ended = server.ended().map(drop);
            ended.ok_or_else(|| "it still runs".to_owned())
        })
        .unwrap();
    }

    fn hook(&self, manifest: &str) {
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
        self.kubectl.apply(&apps.join(manifest)).unwrap();
    }

    fn journal_says(&self, wanted: &str) {
        let namespace = JOURNAL.namespace;
        let words = [
            "-n",
            namespace,
            "exec",
            "journal-0",
            "--",
            "cat",
            "/data/journal",
        ];
        wait_for("the journal to say what happened", WITHIN, || {
            let told = self
                .kubectl
                .run(&words)
                .map_err(|error| error.to_string())?;
            let told = told.trim();
            (told == wanted)
                .then_some(())
                .ok_or_else(|| told.to_owned())
        })
        .unwrap();
    }
}
