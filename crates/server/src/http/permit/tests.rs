//! Rights, as callers meet them.

use serde_json::{Value, json};
use strongroom_core::authorization::{
    BACKUP_CONTRIBUTOR, BACKUP_OPERATOR, BACKUP_READER, CONTRIBUTOR, OWNER, READER,
};
use uuid::Uuid;

use crate::http::route::{Access, Reach};
use crate::http::routes;
use crate::testing::protection::{Protected, restore_of};
use crate::testing::{Answer, GROUP_OF_ALL, Harness, SUBSCRIPTION};

const ME: Uuid = Uuid::from_u128(42);
const DENIED: (u16, &str) = (403, "AuthorizationFailed");

fn example(path: &str) -> String {
    path.split('/')
        .map(|word| if word.starts_with('{') { "x1" } else { word })
        .collect::<Vec<_>>()
        .join("/")
}

fn refusal(answer: &Answer) -> (u16, String) {
    answer.refusal()
}

fn denied() -> (u16, String) {
    (DENIED.0, DENIED.1.to_owned())
}

#[tokio::test]
async fn every_route_of_the_contract_refuses_who_has_no_role() {
    let harness = Harness::new().await;
    let mut open_to_anyone = Vec::new();
    let mut walked = 0;
    for route in routes() {
        if route.access == Access::Open {
            continue;
        }
        for (method, action) in &route.methods {
            if route.reach == Reach::Anyone {
                open_to_anyone.push(route.path);
                continue;
            }
            let path = example(route.path);
            let answer = harness.call_as(ME, method.as_str(), &path, None).await;
            assert_eq!(refusal(&answer), denied(), "{method} {path}");
            assert!(answer.text.contains(action.0), "{}", answer.text);
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
    open_to_anyone.dedup();
    let mut expected = vec![
        "/subscriptions",
        "/tenants",
        "/providers/Microsoft.DataProtection/operations",
        "/providers/Strongroom.Administration/me",
        "/providers/Strongroom.Administration/objectIds",
        "/providers/Microsoft.Authorization/roleDefinitions",
        "/providers/Microsoft.Authorization/roleDefinitions/{id}",
    ];
    expected.sort_unstable();
    open_to_anyone.sort_unstable();
    assert_eq!(open_to_anyone, expected);
}

#[test]
fn an_action_says_what_its_method_does() {
    for route in routes() {
        for (method, action) in &route.methods {
            let kind = action.0.rsplit('/').next().unwrap();
            let expected: &[&str] = match method.as_str() {
                "GET" => &["read"],
                "PUT" | "PATCH" => &["write"],
                "DELETE" => &["delete"],
                // What only answers a question may be a read.
                _ => &["action", "read"],
            };
            assert!(expected.contains(&kind), "{method} {}", route.path);
        }
    }
}

#[tokio::test]
async fn a_denial_names_the_client_the_action_and_the_scope_as_arm_does() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let answer = harness.call_as(ME, "DELETE", &vault, None).await;
    let told = answer.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        told,
        format!(
            "The client 'nightly' with object id '{ME}' does not have authorization to perform action \
             'Microsoft.DataProtection/backupVaults/delete' over scope '{vault}' or the scope is \
             invalid. If access was recently granted, please refresh your credentials."
        )
    );
}

#[tokio::test]
async fn a_role_on_one_vault_is_no_role_on_another() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let other = format!("{vault}-2");
    harness.put(&other, crate::app::vaults::example()).await;
    harness.assign(BACKUP_CONTRIBUTOR, ME, &vault).await;
    for (path, status) in [
        (vault.clone(), 200),
        (vault.to_uppercase(), 200),
        (format!("{vault}/backupPolicies"), 200),
        (format!("{vault}/backupInstances/none"), 404),
        (other.clone(), 403),
        (format!("{other}/backupPolicies"), 403),
        // What does not exist is not told from what may not be seen.
        (format!("{vault}-3"), 403),
    ] {
        let answer = harness.call_as(ME, "GET", &path, None).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    let deleted = harness.call_as(ME, "DELETE", &vault, None).await;
    assert_eq!(refusal(&deleted), denied());
    let head = harness.call_as(ME, "HEAD", &other, None).await;
    assert_eq!(head.status, 403);
}

#[tokio::test]
async fn a_role_of_a_group_is_a_role_of_its_members() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    harness.assign(READER, GROUP_OF_ALL, &vault).await;
    assert_eq!(harness.call_as(ME, "GET", &vault, None).await.status, 200);
    let written = harness.call_as(ME, "PUT", &vault, Some(json!({}))).await;
    assert_eq!(refusal(&written), denied());
}

#[tokio::test]
async fn nobody_gives_more_than_they_may_give() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let group = vault.split("/providers/").next().unwrap().to_owned();
    let path = |scope: &str| {
        format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/{}",
            Uuid::from_u128(1)
        )
    };
    let owner = json!({"properties": {
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"),
        "principalId": ME,
    }});
    harness.assign(CONTRIBUTOR, ME, &group).await;
    let taken = harness
        .call_as(ME, "PUT", &path(&vault), Some(owner.clone()))
        .await;
    assert_eq!(refusal(&taken), denied());
    harness.assign(OWNER, ME, &vault).await;
    for (scope, status) in [(vault.as_str(), 409), (group.as_str(), 403), ("", 403)] {
        let taken = harness
            .call_as(ME, "PUT", &path(scope), Some(owner.clone()))
            .await;
        assert_eq!(taken.status, status, "{scope}: {}", taken.text);
    }
    let rotate = "/providers/Strongroom.Administration/tokens/admin/rotate";
    harness.assign(OWNER, ME, "").await;
    let rotated = harness.call_as(ME, "POST", rotate, None).await;
    assert_eq!(refusal(&rotated), denied());
}

async fn ids(harness: &Harness, path: &str) -> Vec<String> {
    let answer = harness.call_as(ME, "GET", path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let value = answer.json()["value"].as_array().unwrap().clone();
    value
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn lists_show_what_may_be_seen() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    harness
        .put(&format!("{vault}-2"), crate::app::vaults::example())
        .await;
    let of_group = vault.rsplit_once('/').unwrap().0.to_owned();
    let of_subscription = format!("{SUBSCRIPTION}/providers/Microsoft.DataProtection/backupVaults");
    assert_eq!(ids(&harness, "/subscriptions").await, [""; 0]);
    let refused = harness.call_as(ME, "GET", &of_group, None).await;
    assert_eq!(refusal(&refused), denied());
    harness.assign(BACKUP_READER, ME, &vault).await;
    for list in [&of_group, &of_subscription] {
        assert_eq!(ids(&harness, list).await, [vault.as_str()], "{list}");
    }
    assert_eq!(ids(&harness, "/subscriptions").await, [SUBSCRIPTION]);
    let seen = harness.call_as(ME, "GET", SUBSCRIPTION, None).await;
    assert_eq!(seen.status, 200);
    let clusters = format!("{SUBSCRIPTION}/providers/Microsoft.Kubernetes/connectedClusters");
    let refused = harness.call_as(ME, "GET", &clusters, None).await;
    assert_eq!(refusal(&refused), denied());
}

#[tokio::test]
async fn what_a_body_names_needs_a_right_of_its_own() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    it.harness.assign(BACKUP_OPERATOR, ME, &it.vault).await;
    let linked = (403, "LinkedAuthorizationFailed".to_owned());
    let call = async |method: &str, path: String, body: Value| {
        it.harness.call_as(ME, method, &path, Some(body)).await
    };
    let restore = restore_of(&point, &it.cluster);
    let refused = call("POST", format!("{}/restore", it.instance), restore.clone()).await;
    assert_eq!(refusal(&refused), linked);
    assert!(
        refused.text.contains("on the linked scope(s)"),
        "{}",
        refused.text
    );
    let instance = json!({"backupInstance": it.instance_document()});
    for action in ["validateForBackup", "previewBackup"] {
        let refused = call("POST", format!("{}/{action}", it.vault), instance.clone()).await;
        assert_eq!(refusal(&refused), linked, "{action}");
    }
    it.harness.assign(READER, ME, &it.cluster).await;
    let group = format!("{SUBSCRIPTION}/resourceGroups/snapshots");
    let body = json!({"location": "westeurope"});
    assert_eq!(it.harness.put(&group, body).await.status, 201);
    let mut named = instance;
    named["backupInstance"]["policyInfo"]["policyParameters"] = json!({"dataStoreParametersList": [{
        "objectType": "AzureOperationalStoreParameters", "dataStoreType": "OperationalStore",
        "resourceGroupId": group,
    }]});
    let validate = format!("{}/validateForBackup", it.vault);
    let refused = call("POST", validate.clone(), named.clone()).await;
    assert_eq!(refusal(&refused), linked);
    assert!(
        refused.text.contains("resourceGroups/read"),
        "{}",
        refused.text
    );
    it.harness.assign(READER, ME, &group).await;
    let accepted = call("POST", validate, named).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let accepted = call("POST", format!("{}/restore", it.instance), restore).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    // Whoever may restore follows it, though its polling address lies in the subscription.
    let polled = accepted.header("azure-asyncoperation");
    let polled = polled.strip_prefix("https://localhost:8443").unwrap();
    let status = it.harness.call_as(ME, "GET", polled, None).await;
    assert_eq!(status.status, 200, "{}", status.text);
    let stranger = it
        .harness
        .call_as(Uuid::from_u128(43), "GET", polled, None)
        .await;
    assert_eq!(refusal(&stranger), denied());
}

#[tokio::test]
async fn an_extension_gets_the_credentials_of_no_account_that_its_installer_may_not_use() {
    let it = Protected::new().await;
    it.harness.assign(CONTRIBUTOR, ME, &it.cluster).await;
    let document = it.extension_document();
    let put = async || {
        it.harness
            .call_as(ME, "PUT", &it.extension, Some(document.clone()))
            .await
    };
    let refused = put().await;
    assert_eq!(
        refusal(&refused),
        (403, "LinkedAuthorizationFailed".to_owned())
    );
    assert!(refused.text.contains("listKeys/action"), "{}", refused.text);
    let group = it.cluster.split("/providers/").next().unwrap();
    it.harness.assign(CONTRIBUTOR, ME, group).await;
    assert!(put().await.status < 300);
}

#[tokio::test]
async fn instances_of_a_cluster_are_shown_as_far_as_their_vaults_are() {
    let it = Protected::new().await;
    let path = format!(
        "{}/providers/Microsoft.DataProtection/backupInstances",
        it.cluster
    );
    it.harness.assign(READER, ME, &it.cluster).await;
    assert_eq!(ids(&it.harness, &path).await, [""; 0]);
    it.harness.assign(BACKUP_READER, ME, &it.vault).await;
    assert_eq!(ids(&it.harness, &path).await, [it.instance.as_str()]);
}
