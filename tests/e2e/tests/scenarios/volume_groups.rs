//! Volumes that share one instant: a writer goes from one to the other all the time, and what comes back is a
//! state that it was in; the driver has nothing left when the recovery points go.

use std::time::Duration;

use serde_json::Value;
use strongroom_core::selection::SNAPSHOT_LABEL;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::PAIR;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

const GONE_WITHIN: Duration = Duration::from_secs(60);
/// What is taken and restored: a torn state is likely, and none may be.
const ROUNDS: usize = 3;

/// The class of group snapshots, which other scenarios do without, for as long as this lives.
struct Class<'a>(&'a TestStage);

impl<'a> Class<'a> {
    fn of(stage: &'a TestStage) -> Self {
        stage.apply_app("group-class.yaml");
        Self(stage)
    }
}

impl Drop for Class<'_> {
    fn drop(&mut self) {
        let words = [
            "delete",
            "volumegroupsnapshotclass",
            "groups",
            "--ignore-not-found",
        ];
        if let Err(error) = self.0.kubectl.run(&words) {
            eprintln!("the class of group snapshots stays: {error}");
        }
    }
}

#[test]
fn volumes_that_are_written_in_turn_come_back_as_they_were_at_one_instant() {
    let stage = TestStage::protected(&PAIR);
    // What is deleted here is gone, with all that it has.
    let final_deletes = ["vault", "create", VAULT, "--soft-delete", "off"];
    stage.cli.run(&final_deletes).unwrap();
    let _class = Class::of(&stage);
    let before = stage.driver_has();
    for round in 1..=ROUNDS {
        stage.until_written();
        // The last one dies when its group is cut and nothing else of it is done.
        if round == ROUNDS {
            stage.crash_extension_at("group:after");
        }
        let backup = stage.back_up().unwrap();
        assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
        stage.names_the_group(&backup);
        PAIR.lose(&stage.kubectl).unwrap();
        let restore = stage.restore(&[]).unwrap();
        assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
        stage.kubectl.wait_rolled_out(PAIR.namespace).unwrap();
        let found = stage.in_pair("cat /first/found");
        let counts: Vec<u64> = found
            .split(' ')
            .map(|count| count.parse().unwrap())
            .collect();
        let [first, second] = counts.as_slice() else {
            panic!("two counts: {found}")
        };
        assert!(
            first == second || *first == second + 1,
            "round {round}: the first volume is at {first}, the second at {second}"
        );
    }
    assert!(stage.extension_restarts() >= 1, "it was not killed");
    let shown = stage.cli.json(&[
        "recovery-point",
        "show",
        "latest",
        "--instance",
        INSTANCE,
        "--vault",
        VAULT,
    ]);
    let shown = shown.unwrap();
    assert_eq!(shown["properties"]["volumes"], 2, "{shown:#}");
    assert_eq!(shown["properties"]["volumeGroups"], 1, "{shown:#}");
    let (groups, _) = stage.driver_has();
    assert_eq!(groups, before.0 + ROUNDS);

    let words = ["instance", "delete", INSTANCE, "--vault", VAULT];
    stage.cli.run(&words).unwrap();
    wait_for("the driver to have nothing left", GONE_WITHIN, || {
        let has = stage.driver_has();
        (has == before)
            .then_some(())
            .ok_or_else(|| format!("{has:?} and not {before:?}"))
    })
    .unwrap();
    for kind in ["volumesnapshotcontents", "volumegroupsnapshotcontents"] {
        // The members' contents go behind the group's, and those behind the driver's.
        wait_for("the cluster to have nothing left", GONE_WITHIN, || {
            let left = stage.kubectl.json(&["get", kind, "-l", SNAPSHOT_LABEL]);
            let left = left.map_err(|error| error.to_string())?;
            let is_empty = left["items"] == serde_json::json!([]);
            is_empty.then_some(()).ok_or(format!("{kind}: {left}"))
        })
        .unwrap();
    }
}

impl TestStage {
    /// What a command of the writer's pod prints, without the spaces around it.
    fn in_pair(&self, command: &str) -> String {
        let words = ["-n", PAIR.namespace, "exec", "pair-0", "--", "sh", "-c"];
        let printed = self.kubectl.run(&[&words[..], &[command]].concat());
        printed.unwrap().trim().to_owned()
    }

    /// Waits until the writer has been at both volumes since it started.
    fn until_written(&self) {
        let mut seen = std::collections::BTreeSet::new();
        wait_for("the writer to write", GONE_WITHIN, || {
            let told = self.in_pair("cat /second/count 2>&1 || true");
            seen.extend(told.parse::<u64>());
            (seen.len() > 1).then_some(()).ok_or(told)
        })
        .unwrap();
    }

    /// The report has a line for the group, and each claim's names it.
    fn names_the_group(&self, backup: &Value) {
        let id = backup["name"].as_str().unwrap();
        let words = ["job", "report", id, "--vault", VAULT];
        let lines = self.cli.json(&words).unwrap();
        let lines = lines.as_array().unwrap();
        let of_kind = |kind: &str| -> Vec<&Value> {
            // One that an attempt before left is told as an object that is not backed up.
            let is_of =
                |line: &&Value| line["object"]["kind"] == kind && line["outcome"] == "BackedUp";
            lines.iter().filter(is_of).collect()
        };
        let groups = of_kind("VolumeGroupSnapshot");
        assert_eq!(groups.len(), 1, "{groups:#?}");
        let group = groups[0];
        let told = group["reason"].as_str().unwrap();
        assert!(told.contains("first-pair-0, second-pair-0"), "{told}");
        let name = group["object"]["name"].as_str().unwrap();
        for claim in of_kind("PersistentVolumeClaim") {
            let told = claim["reason"].as_str().unwrap();
            assert!(told.contains(name), "{told}");
        }
    }

    /// How many groups and snapshots the driver of the test cluster has, by its own record.
    fn driver_has(&self) -> (usize, usize) {
        let cluster = self.kubectl.kubeconfig.parent().unwrap();
        let state = std::fs::read_to_string(cluster.join("volumes/state.json")).unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        let count = |what: &str| state[what].as_object().map_or(0, |all| all.len());
        (count("Groups"), count("Snapshots"))
    }
}
