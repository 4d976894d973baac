//! An application with its data: hooks around the snapshot, everything lost, everything back, and no
//! snapshot left when its recovery point goes.

use std::path::Path;
use std::time::Duration;

use strongroom_core::selection::{EXTENSION_NAMESPACE, SNAPSHOT_LABEL};
use strongroom_core::volumes::{CLASS_LABEL, CLASS_MADE, GivenClass};
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::JOURNAL;
use strongroom_e2e::stage::{CLUSTER, GROUP, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

/// The test cluster's driver.
const DRIVER: &str = "loop.csi.local";
const GONE_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_lost_application_comes_back_with_its_data_as_they_were_when_it_was_frozen() {
    let mut stage = TestStage::bare();
    stage.protect_journal();
    // What is deleted here is gone, with all that it has.
    let final_deletes = ["vault", "create", VAULT, "--soft-delete", "off"];
    stage.cli.run(&final_deletes).unwrap();
    stage
        .in_journal("echo first > /data/journal; head -c 3000000 /dev/urandom > /data/noise; sync");
    let noise = stage.in_journal("md5sum < /data/noise");

    // Other scenarios uninstall the extension, which leaves what their recovery points hold.
    let others = stage.kept_snapshots();
    let own = |stage: &TestStage| {
        let mut kept = stage.kept_snapshots();
        kept.retain(|name| !others.contains(name));
        kept
    };
    let until_left = |stage: &TestStage, left: usize| {
        wait_for(&format!("{left} snapshots to be left"), GONE_WITHIN, || {
            let kept = own(stage);
            (kept.len() == left)
                .then_some(())
                .ok_or_else(|| kept.join(", "))
        })
        .unwrap();
    };

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    assert_eq!(
        stage.in_journal("cat /data/journal"),
        "first\nfrozen\nthawed"
    );
    assert_eq!(own(&stage).len(), 1);
    let details = &backup["properties"]["extendedInfo"]["additionalDetails"];
    for told in ["frozenMillis", "snapshotWindowMillis"] {
        assert!(details[told].is_string(), "{told}: {details:#}");
    }

    JOURNAL.lose(&stage.kubectl).unwrap();
    assert_eq!(own(&stage).len(), 1, "it outlives the namespace");
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    stage.kubectl.wait_rolled_out(JOURNAL.namespace).unwrap();
    assert_eq!(stage.in_journal("cat /data/journal"), "first\nfrozen");
    assert_eq!(stage.in_journal("md5sum < /data/noise"), noise);

    // The time of the first recovery point is over: its snapshots go, on the driver's storage as well.
    let old = stage.recovery_points().unwrap().remove(0);
    let on_storage = stage.snapshots_on_storage();
    let class = stage.take_snapshots_by("readyMillis=1");
    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    assert_eq!(stage.made_classes(), [class]);
    until_left(&stage, 2);
    stage.server().unwrap().kill();
    stage.make_older(&[&old], 40);
    stage.restart_server(&[]).unwrap();
    until_left(&stage, 1);
    assert_eq!(
        stage.snapshots_on_storage(),
        on_storage,
        "one came, one went"
    );
    // A server looks for what is over when it starts.
    stage.restart_server(&[]).unwrap();
    wait_for("the recovery point to go", GONE_WITHIN, || {
        let points = stage.recovery_points().unwrap();
        let gone = points.len() == 1 && !points.contains(&old);
        gone.then_some(()).ok_or_else(|| points.join(", "))
    })
    .unwrap();

    let words = ["instance", "delete", INSTANCE, "--vault", VAULT];
    stage.cli.run(&words).unwrap();
    until_left(&stage, 0);
    assert_eq!(stage.snapshots_on_storage(), on_storage - 1);
    stage.until_no_class();
}

impl TestStage {
    /// The journal runs and is protected, with its hook.
    pub(super) fn protect_journal(&self) {
        JOURNAL.deploy(&self.kubectl).unwrap();
        self.create_vault().unwrap();
        self.connect_cluster().unwrap();
        self.apply_app("journal-hook.yaml");
        self.cli.run(&journal("create", "journal/mark")).unwrap();
    }

    /// Applies a manifest that lies beside those of the applications.
    pub(super) fn apply_app(&self, manifest: &str) {
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
        self.kubectl.apply(&apps.join(manifest)).unwrap();
    }

    /// What a command of the journal's pod prints, without the spaces around it.
    pub(super) fn in_journal(&self, command: &str) -> String {
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

    /// How many snapshots the driver of the test cluster has, by its own record.
    fn snapshots_on_storage(&self) -> usize {
        let cluster = self.kubectl.kubeconfig.parent().unwrap();
        let state = std::fs::read_to_string(cluster.join("volumes/state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        state["Snapshots"].as_object().unwrap().len()
    }

    /// Has the snapshot resource group say this of the driver; the name of the class that is made of it.
    fn take_snapshots_by(&self, parameter: &str) -> String {
        let (key, value) = parameter.split_once('=').unwrap();
        let words = ["group", "snapshot-class", "set", GROUP, "--driver", DRIVER];
        let words = [&words[..], &["--parameter", parameter]].concat();
        self.cli.run(&words).unwrap();
        let given = GivenClass {
            driver: DRIVER.to_owned(),
            parameters: [(key.to_owned(), value.to_owned())].into(),
            ..GivenClass::default()
        };
        given.name(EXTENSION_NAMESPACE)
    }

    /// The classes that the extension made.
    fn made_classes(&self) -> Vec<String> {
        let selector = format!("{CLASS_LABEL}={CLASS_MADE}");
        self.names_of("volumesnapshotclasses", &selector)
    }

    /// The snapshots of recovery points that stand in the cluster.
    fn kept_snapshots(&self) -> Vec<String> {
        self.names_of("volumesnapshotcontents", SNAPSHOT_LABEL)
    }

    /// Waits until no class of the extension is left.
    fn until_no_class(&self) {
        wait_for("the class to go", GONE_WITHIN, || {
            let made = self.made_classes();
            made.is_empty().then_some(()).ok_or_else(|| made.join(", "))
        })
        .unwrap();
    }

    /// The names of a cluster-wide type's objects with these labels.
    fn names_of(&self, plural: &str, selector: &str) -> Vec<String> {
        let words = ["get", plural, "-l", selector];
        let listed = self.kubectl.json(&words).unwrap();
        let items = listed["items"].as_array().into_iter().flatten();
        let names = items.filter_map(|item| item["metadata"]["name"].as_str());
        names.map(str::to_owned).collect()
    }
}

/// The command that does something with the journal's instance, with this hook in its configuration.
pub(super) fn journal<'w>(action: &'w str, hook: &'w str) -> Vec<&'w str> {
    let words = ["instance", action, INSTANCE, "--vault", VAULT];
    let what = ["--policy", POLICY, "--cluster", CLUSTER];
    let chosen = ["--include-namespaces", JOURNAL.namespace];
    [&words[..], &what, &chosen, &["--backup-hook", hook]].concat()
}
