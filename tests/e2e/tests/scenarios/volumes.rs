//! An application with its data: hooks around the snapshot, everything lost, everything back, and no
//! snapshot left when its recovery point goes.

use std::path::Path;
use std::time::Duration;

use strongroom_core::selection::SNAPSHOT_LABEL;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::JOURNAL;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

const GONE_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_lost_application_comes_back_with_its_data_as_they_were_when_it_was_frozen() {
    let stage = TestStage::bare();
    JOURNAL.deploy(&stage.kubectl).unwrap();
    stage.create_vault().unwrap();
    stage.connect_cluster().unwrap();
    let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/journal-hook.yaml");
    stage.kubectl.apply(&hook).unwrap();
    let words = ["instance", "create", INSTANCE, "--vault", VAULT];
    let what = ["--policy", POLICY, "--cluster", CLUSTER];
    let chosen = ["--include-namespaces", JOURNAL.namespace];
    let hooks = ["--backup-hook", "journal/mark"];
    let all = [&words[..], &what, &chosen, &hooks].concat();
    stage.cli.run(&all).unwrap();
    stage
        .in_journal("echo first > /data/journal; head -c 3000000 /dev/urandom > /data/noise; sync");
    let noise = stage.in_journal("md5sum < /data/noise");

    // Other scenarios uninstall the extension, which leaves what their recovery points hold.
    let others = stage.kept_snapshots();
    let own = || {
        let mut kept = stage.kept_snapshots();
        kept.retain(|name| !others.contains(name));
        kept
    };

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    assert_eq!(
        stage.in_journal("cat /data/journal"),
        "first\nfrozen\nthawed"
    );
    assert_eq!(own().len(), 1);

    JOURNAL.lose(&stage.kubectl).unwrap();
    assert_eq!(own().len(), 1, "it outlives the namespace");
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    stage.kubectl.wait_rolled_out(JOURNAL.namespace).unwrap();
    assert_eq!(stage.in_journal("cat /data/journal"), "first\nfrozen");
    assert_eq!(stage.in_journal("md5sum < /data/noise"), noise);

    let words = ["instance", "delete", INSTANCE, "--vault", VAULT];
    stage.cli.run(&words).unwrap();
    wait_for("the snapshots to go", GONE_WITHIN, || {
        let left = own();
        left.is_empty().then_some(()).ok_or_else(|| left.join(", "))
    })
    .unwrap();
}

impl TestStage {
    /// What a command of the journal's pod prints, without the spaces around it.
    fn in_journal(&self, command: &str) -> String {
        let words = [
            "-n",
            JOURNAL.namespace,
            "exec",
            "journal-0",
            "--",
            "sh",
            "-c",
        ];
        let printed = self.kubectl.run(&[&words[..], &[command]].concat());
        printed.unwrap().trim().to_owned()
    }

    /// The snapshots of recovery points that stand in the cluster.
    fn kept_snapshots(&self) -> Vec<String> {
        let words = ["get", "volumesnapshotcontents", "-l", SNAPSHOT_LABEL];
        let listed = self.kubectl.json(&words).unwrap();
        let items = listed["items"].as_array().into_iter().flatten();
        let names = items.filter_map(|item| item["metadata"]["name"].as_str());
        names.map(str::to_owned).collect()
    }
}
