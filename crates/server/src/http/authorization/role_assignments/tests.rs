//! Role assignments over HTTP.

use serde_json::{Value, json};
use strongroom_core::authorization::{BACKUP_CONTRIBUTOR, BACKUP_READER, OWNER};
use uuid::Uuid;

use crate::testing::Harness;

fn name(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

fn at(scope: &str, number: u128) -> String {
    format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{}",
        name(number)
    )
}

fn body(role: Uuid, principal: u128) -> Value {
    json!({"properties": {
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": name(principal), "principalType": "serviceprincipal", "description": "nightly",
    }})
}

#[tokio::test]
async fn a_role_is_assigned_read_back_and_taken_away() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let path = at(&vault, 1);
    let made = harness.put(&path, body(BACKUP_CONTRIBUTOR, 9)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let properties = &made.json()["properties"];
    assert_eq!(properties["scope"], vault);
    assert_eq!(properties["principalType"], "ServicePrincipal");
    assert_eq!(properties["description"], "nightly");
    let definition = properties["roleDefinitionId"].as_str().unwrap();
    assert!(definition.starts_with("/subscriptions/"), "{definition}");
    assert_eq!(harness.get(&path).await.json(), made.json());
    let again = harness
        .put(&path.to_uppercase(), body(BACKUP_CONTRIBUTOR, 9))
        .await;
    assert_eq!(
        (again.status, again.json()["id"].clone()),
        (200, made.json()["id"].clone())
    );
    let gone = harness.delete(&path).await;
    assert_eq!((gone.status, gone.json()), (200, made.json()));
    assert_eq!(harness.delete(&path).await.status, 204);
    assert_eq!(harness.get(&path).await.refusal().0, 404);
}

#[tokio::test]
async fn what_is_no_assignment_is_refused() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    harness.put(&at(&vault, 1), body(OWNER, 9)).await;
    let with = |field: &str, value: Value| {
        let mut changed = body(OWNER, 8);
        changed["properties"][field] = value;
        changed
    };
    let missing = format!("{vault}-2");
    let named = format!("{}x", at(&vault, 1));
    for (path, body, refusal) in [
        (
            at(&vault, 1),
            body(OWNER, 8),
            (409, "RoleAssignmentUpdateNotPermitted"),
        ),
        (at(&vault, 2), body(OWNER, 9), (409, "RoleAssignmentExists")),
        (
            at(&vault, 3),
            body(Uuid::from_u128(1), 9),
            (400, "RoleDefinitionDoesNotExist"),
        ),
        (at(&missing, 3), body(OWNER, 9), (404, "ResourceNotFound")),
        (named, body(OWNER, 9), (400, "InvalidResourceName")),
        (
            at(&vault, 3),
            with("principalId", json!("ann")),
            (400, "InvalidRequestContent"),
        ),
        (
            at(&vault, 3),
            with("principalType", json!("Robot")),
            (400, "InvalidRequestContent"),
        ),
        (
            at(&vault, 3),
            with("condition", json!("true")),
            (400, "InvalidRequestContent"),
        ),
        (
            at(&vault, 3),
            with("description", json!("x".repeat(1025))),
            (400, "InvalidRequestContent"),
        ),
    ] {
        let answer = harness.put(&path, body).await;
        let expected = (refusal.0, refusal.1.to_owned());
        assert_eq!(answer.refusal(), expected, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_list_tells_what_holds_at_a_scope_and_below_unless_filtered() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let group = vault.split("/providers/").next().unwrap().to_owned();
    for (scope, number, role) in [
        ("", 1, OWNER),
        (&group, 2, BACKUP_READER),
        (&vault, 3, BACKUP_CONTRIBUTOR),
    ] {
        let made = harness.put(&at(scope, number), body(role, number)).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let listed = async |scope: &str, filter: &str| -> Vec<String> {
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter={filter}"
        );
        let answer = harness.get(path.trim_end_matches("&$filter=")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let value = answer.json()["value"].as_array().unwrap().clone();
        value
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let named = |numbers: &[u128]| -> Vec<String> { numbers.iter().map(|n| name(*n)).collect() };
    assert_eq!(listed(&vault, "").await.len(), 3);
    assert_eq!(listed(&group, "").await.len(), 3);
    assert_eq!(listed(&group, "atScope()").await.len(), 2);
    assert_eq!(listed("", "atScope()").await, named(&[1]));
    let of_three = format!("principalId%20eq%20'{}'", name(3));
    assert_eq!(listed("", &of_three).await, named(&[3]));
    // As published clients write a scope that is an id.
    assert_eq!(listed(&format!("/{vault}"), &of_three).await, named(&[3]));
}

#[tokio::test]
async fn roles_go_with_their_resource() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    harness.put(&at(&vault, 1), body(OWNER, 9)).await;
    assert_eq!(harness.delete(&vault).await.status, 200);
    harness.vault().await;
    assert_eq!(harness.get(&at(&vault, 1)).await.refusal().0, 404);
}
