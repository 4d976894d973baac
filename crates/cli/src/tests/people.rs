//! People of an identity provider, from the command line.

use clap::Parser as _;
use serde_json::json;

use super::{GROUP, Program, Stage, ok, stage};
use crate::exit_code;

const OPERATORS: &str = "00000000-0000-0000-0000-00000000000c";

fn with_people() -> Stage {
    stage(|method, path| match (method, path) {
        ("GET", "/providers/Strongroom.Administration/me") => ok(json!({
            "objectId": "00000000-0000-0000-0000-00000000000a", "name": "ada", "kind": "User",
            "tenantId": "t", "isAdministrator": false,
            "groups": [{"name": "operators", "objectId": OPERATORS}],
        })),
        ("POST", "/providers/Strongroom.Administration/objectIds") => {
            ok(json!({"name": "operators", "objectId": OPERATORS}))
        }
        ("GET", path) if path.ends_with("/roleAssignments") => ok(json!({"value": []})),
        ("PUT", path) if path.contains("/roleAssignments/") => ok(json!({"name": "n", "properties": {
            "roleDefinitionId": "r", "principalId": OPERATORS, "scope": GROUP,
        }})),
        ("GET", "/.well-known/oauth-protected-resource") => ok(json!({
            "resource": "https://server", "authorization_servers": [], "bearer_methods_supported": [],
        })),
        _ => None,
    })
    .logged_in()
}

#[test]
fn somebody_learns_as_whom_the_server_knows_them() {
    let outcome = with_people().run("whoami");
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    insta::assert_snapshot!(outcome.out);
}

#[test]
fn a_role_is_assigned_to_a_group_by_its_name_and_to_one_assignee_only() {
    let stage = with_people();
    let outcome = stage.run("role assignment create --assignee-group operators --role Reader");
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    let asked = stage.body("POST /providers/Strongroom.Administration/objectIds");
    assert_eq!(asked, json!({"group": "operators"}));
    let seen = stage.seen.lock().unwrap();
    let (_, body) = seen
        .iter()
        .find(|(call, _)| call.starts_with("PUT "))
        .unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["properties"]["principalId"], OPERATORS);
    assert_eq!(body["properties"]["principalType"], "Group");

    let words = "strongroom role assignment create --role Reader";
    for more in [
        "",
        "--assignee-group a --assignee-user b",
        "--assignee-user b --assignee-type Group",
    ] {
        let words = format!("{words} {more}");
        let error = Program::try_parse_from(words.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(exit_code::USAGE), "{more}");
    }
}

#[test]
fn without_an_identity_provider_nobody_signs_in_by_a_code() {
    let stage = with_people();
    let words = format!("login --server {} --identity-provider", stage.url);
    let outcome = stage.run(&words);
    assert_eq!(outcome.code, exit_code::USAGE, "{outcome}");
    assert!(
        outcome.err.contains("knows no identity provider"),
        "{outcome}"
    );
}
