//! `strongroom instance assign-missing-roles`: what it asks for, shows, and how it ends.

use clap::Parser as _;
use serde_json::{Value, json};

use super::commands::full;
use super::{Answer, CLUSTER, Program, VAULT, ok, stage};

fn role(role: &str, state: &str, detail: &str) -> Value {
    json!({"role": role, "principal": VAULT, "scope": CLUSTER, "state": state, "detail": detail})
}

fn roles(roles: &[Value], not_assignable: &[Value]) -> Option<Answer> {
    ok(
        json!({"objectType": "AssignedRoles", "dryRun": false, "roles": roles,
        "notAssignable": not_assignable}),
    )
}

fn given(method: &str, path: &str) -> Option<Answer> {
    let present = json!({"role": "ClusterRole strongroom-backup-extension",
        "principal": format!("{CLUSTER}/providers/x/extensions/azure-aks-backup"), "scope": CLUSTER,
        "state": "Present"});
    match (method, path) {
        ("POST", path) if path.ends_with("/assignMissingRoles") => roles(
            &[
                role("backup-operator", "Assigned", "There was no binding."),
                present,
            ],
            &[],
        ),
        _ => full(method, path),
    }
}

fn missing(method: &str, path: &str) -> Option<Answer> {
    match (method, path) {
        ("POST", path) if path.ends_with("/assignMissingRoles") => roles(
            &[role("backup-operator", "Missing", "There is no binding.")],
            &[],
        ),
        _ => full(method, path),
    }
}

fn refused(method: &str, path: &str) -> Option<Answer> {
    match (method, path) {
        ("POST", path) if path.ends_with("/assignMissingRoles") => roles(
            &[role("backup-operator", "Failed", "May not create roles.")],
            &[
                json!({"code": "UserErrorClusterPermissionMissing", "message": "It lacks a rule.",
                "recommendedAction": ["Grant it."]}),
            ],
        ),
        _ => full(method, path),
    }
}

#[test]
fn it_says_what_it_gave_and_what_was_there() {
    let stage = stage(given).logged_in();
    let outcome = stage.run("instance assign-missing-roles i --vault v");
    assert_eq!(outcome.code, 0, "{outcome}");
    insta::assert_snapshot!(outcome.to_string());
    let body = stage.body(&format!(
        "POST {VAULT}/backupInstances/i/assignMissingRoles"
    ));
    assert_eq!(body, json!({"dryRun": false}));
}

#[test]
fn a_dry_run_for_a_cluster_that_is_not_protected_yet_says_what_is_missing() {
    let stage = stage(missing).logged_in();
    let outcome = stage.run("instance assign-missing-roles --cluster c --vault v --dry-run");
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.err.contains("1 missing"), "{outcome}");
    let body = stage.body(&format!("POST {VAULT}/assignMissingRoles"));
    assert_eq!(body["dryRun"], true);
    assert_eq!(
        body["backupInstance"]["dataSourceInfo"]["resourceID"],
        CLUSTER
    );
}

#[test]
fn what_cannot_be_given_is_an_exit_code_and_says_who_can() {
    let stage = stage(refused).logged_in();
    let outcome = stage.run("instance assign-missing-roles i --vault v");
    assert_eq!(outcome.code, crate::exit_code::UNHEALTHY, "{outcome}");
    assert!(outcome.out.contains("May not create roles."), "{outcome}");
    assert!(outcome.err.contains("what to do: Grant it."), "{outcome}");
    assert!(outcome.err.contains("2 problems found"), "{outcome}");
}

#[test]
fn it_is_about_an_instance_or_about_a_cluster() {
    for arguments in ["--vault v", "i --cluster c --vault v"] {
        let all = format!("strongroom instance assign-missing-roles {arguments}");
        assert!(Program::try_parse_from(all.split(' ')).is_err(), "{all}");
    }
}
