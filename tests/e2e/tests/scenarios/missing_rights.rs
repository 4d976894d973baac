//! Rights that somebody took away are named before they are missed, and come back in one go.

use serde_json::Value;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

#[test]
fn rights_that_were_taken_away_are_named_and_given_again_in_one_go() {
    let stage = TestStage::protected(&LEDGER);
    let words = ["instance", "validate", INSTANCE, "--vault", VAULT];
    let validate = [&words[..], &["--policy", POLICY, "--cluster", CLUSTER]].concat();
    stage.cli.run(&validate).unwrap();
    assert_eq!(states(&stage, &["--dry-run"]), ["Present"; 3]);

    let rule = r#"[{"op": "remove", "path": "/rules/0"}]"#;
    let role = "strongroom-backup-extension";
    let patch = ["patch", "clusterrole", role, "--type=json", "-p", rule];
    stage.kubectl.run(&patch).unwrap();
    let revoke = ["cluster", "revoke", CLUSTER, "--vault", VAULT, "--force"];
    stage.cli.run(&revoke).unwrap();
    let (_, told) = stage.cli.fails(&validate).unwrap();
    for code in [
        "UserErrorTrustedAccessMissing",
        "UserErrorClusterPermissionMissing",
    ] {
        assert!(told.contains(code), "{code} is not in:\n{told}");
    }

    assert_eq!(states(&stage, &["--dry-run"]), ["Missing"; 3]);
    stage.cli.fails(&validate).unwrap();
    // The binding brings the vault's role in the cluster with it.
    assert_eq!(states(&stage, &[]), ["Assigned", "Present", "Assigned"]);
    assert_eq!(states(&stage, &[]), ["Present"; 3]);
    stage.cli.run(&validate).unwrap();
    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
}

/// What became of each right.
fn states(stage: &TestStage, options: &[&str]) -> Vec<String> {
    let words = [
        "instance",
        "assign-missing-roles",
        INSTANCE,
        "--vault",
        VAULT,
    ];
    let told = stage.cli.json(&[&words[..], options].concat()).unwrap();
    let roles = told.as_array().unwrap().iter();
    let state = |role: &Value| role["state"].as_str().unwrap().to_owned();
    roles.map(state).collect()
}
