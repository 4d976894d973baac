//! Who may do what, from the command line.

use serde_json::json;

use super::{GROUP, Stage, ok, stage};
use crate::exit_code;

const WHO: &str = "00000000-0000-0000-0000-000000000009";
const NAME: &str = "00000000-0000-0000-0000-00000000000a";
const CONTRIBUTOR: &str = "5e467623-bb1f-42f4-a55d-6e525e11384b";

fn assignment() -> serde_json::Value {
    json!({
        "id": format!("{GROUP}/providers/Microsoft.Authorization/roleAssignments/{NAME}"), "name": NAME,
        "properties": {
            "roleDefinitionId": format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"),
            "principalId": WHO, "principalType": "ServicePrincipal", "scope": GROUP,
        },
    })
}

fn with_assignment() -> Stage {
    stage(|method, path| match (method, path) {
        ("GET", path) if path.ends_with("/roleAssignments") => {
            ok(json!({ "value": [assignment()] }))
        }
        ("PUT" | "DELETE" | "GET", path) if path.contains("/roleAssignments/") => ok(assignment()),
        ("GET", path) if path.ends_with("/roleDefinitions") => ok(json!({"value": [{
            "name": CONTRIBUTOR, "properties": {
                "roleName": "Backup Contributor", "description": "manages backups",
                "assignableScopes": ["/"], "permissions": [],
            },
        }]})),
        _ => None,
    })
    .logged_in()
}

#[test]
fn roles_are_listed_with_their_names() {
    let stage = with_assignment();
    let mut shown = Vec::new();
    for words in ["role assignment list", "role definition list"] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
        shown.push(outcome.out);
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_right_that_is_there_keeps_its_name() {
    let stage = with_assignment();
    let words = format!("role assignment create --assignee {WHO} --role backup-contributor");
    let unknown = stage.run(&words);
    assert_eq!(unknown.code, exit_code::NOT_FOUND, "{unknown}");
    assert!(
        unknown.err.contains("known: Owner, Contributor"),
        "{unknown}"
    );
    let words = format!("role assignment create --assignee {WHO} --role {CONTRIBUTOR}");
    let outcome = stage.run(&words);
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    let seen = format!("{:?}", stage.seen.lock().unwrap());
    assert!(seen.contains(NAME), "{seen}");
}

#[test]
fn an_assignment_is_deleted_by_its_id_wherever_it_is() {
    let stage = with_assignment();
    let id = format!(
        "/subscriptions/s/resourceGroups/other/providers/Microsoft.Authorization/roleAssignments/{NAME}"
    );
    let outcome = stage.run(&format!("role assignment delete {id}"));
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    let seen = format!("{:?}", stage.seen.lock().unwrap());
    assert!(seen.contains("/resourceGroups/other/"), "{seen}");
}
