//! Rights read from requests, reviewed, and granted to a vault.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, cluster};

fn needed(method: &str, path: &str) -> Option<(String, String, String, Option<String>)> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let one = Permission::of_request(&method, &path.parse().unwrap())?;
    Some((one.verb, one.group, one.resource, one.namespace))
}

#[test]
fn a_request_tells_which_right_it_needs() {
    let case = |verb: &str, group: &str, resource: &str, namespace: Option<&str>| {
        Some((
            verb.into(),
            group.into(),
            resource.into(),
            namespace.map(str::to_owned),
        ))
    };
    assert_eq!(needed("GET", "/version"), None);
    assert_eq!(
        needed("GET", "/api/v1/namespaces"),
        case("list", "", "namespaces", None)
    );
    assert_eq!(
        needed("DELETE", "/api/v1/namespaces/shop"),
        case("delete", "", "namespaces", None)
    );
    assert_eq!(
        needed("GET", "/api/v1/namespaces/shop/secrets?limit=500"),
        case("list", "", "secrets", Some("shop"))
    );
    assert_eq!(
        needed("GET", "/apis/apps/v1/deployments?watch=true"),
        case("watch", "apps", "deployments", None)
    );
    assert_eq!(
        needed(
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/web/status"
        ),
        case("patch", "apps", "deployments/status", Some("shop"))
    );
    assert_eq!(
        needed("POST", "/api/v1/namespaces/shop/serviceaccounts/x/token"),
        case("create", "", "serviceaccounts/token", Some("shop"))
    );
    assert_eq!(
        needed("DELETE", "/apis/apps/v1/namespaces/shop/deployments"),
        case("deletecollection", "apps", "deployments", Some("shop"))
    );
}

#[tokio::test]
async fn a_review_names_what_is_missing_in_the_order_that_was_asked() {
    let (cluster, log) = cluster(|asked| {
        let attributes = &asked.body["spec"]["resourceAttributes"];
        let allowed = attributes["resource"] == "pods" && attributes["subresource"] == "";
        Answer::raw(
            201,
            json!({"status": {"allowed": allowed, "reason": "because"}}).to_string(),
        )
    });
    let permissions = [
        Permission::cluster_wide("create", "", "pods/exec"),
        Permission::cluster_wide("list", "", "pods"),
        Permission::in_namespace("list", "apps", "deployments", "shop"),
    ];
    let missing = review(&cluster, &permissions).await.unwrap();
    let names: Vec<&str> = missing
        .iter()
        .map(|one| one.permission.resource.as_str())
        .collect();
    assert_eq!(names, ["pods/exec", "deployments"]);
    assert_eq!(log.lines().len(), 3);
    assert_eq!(
        missing[1].permission.to_string(),
        r#"a rule with apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] in a Role of namespace shop"#
    );
}

const VAULT: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v";

#[test]
fn a_vault_is_granted_our_custom_resources_and_nothing_else() {
    let objects = trusted_access::manifests("ns", VAULT);
    let kinds: Vec<&str> = objects
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["ServiceAccount", "Role", "RoleBinding"]);
    assert_eq!(
        objects[1]["rules"],
        json!([
            {"apiGroups": ["clusterbackup.dataprotection.microsoft.com"],
             "resources": ["backups", "restores"],
             "verbs": ["get", "list", "watch", "create", "delete"]},
            {"apiGroups": ["clusterbackup.dataprotection.microsoft.com"],
             "resources": ["backupextensions"], "verbs": ["get", "list", "watch"]},
        ])
    );
    assert!(
        objects
            .iter()
            .all(|one| one["metadata"]["namespace"] == "ns")
    );
    assert!(
        trusted_access::RULES
            .iter()
            .all(|rule| !rule.reason.is_empty())
    );
}

#[test]
fn a_vaults_account_is_named_by_its_id_whatever_the_case() {
    let name = trusted_access::account_name(VAULT);
    assert_eq!(name, trusted_access::account_name(&VAULT.to_uppercase()));
    assert_ne!(name, trusted_access::account_name(&format!("{VAULT}2")));
    assert!(name.len() <= 63 && name.starts_with("vault-"));
}

#[tokio::test]
async fn a_token_lives_within_its_bounds_and_is_not_printed() {
    let (cluster, log) = cluster(|_| {
        let status =
            json!({"token": "secret-token", "expirationTimestamp": "2026-01-01T00:00:00Z"});
        Answer::raw(201, json!({ "status": status }).to_string())
    });
    for seconds in [1, 1200, 999_999] {
        let ttl = Duration::from_secs(seconds);
        let token = trusted_access::token(&cluster, "ns", VAULT, ttl)
            .await
            .unwrap();
        assert_eq!(token.token.as_str(), "secret-token");
        assert!(!format!("{token:?}").contains("secret-token"));
    }
    let asked: Vec<Value> = log
        .all()
        .iter()
        .map(|one| one.body["spec"]["expirationSeconds"].clone())
        .collect();
    assert_eq!(asked, [json!(600), json!(1200), json!(3600)]);
}

#[tokio::test]
async fn revoking_removes_the_binding_first_and_can_be_repeated() {
    let (cluster, log) = cluster(|_| Answer::failed(404, "NotFound", "gone"));
    assert!(!trusted_access::revoke(&cluster, "ns", VAULT).await.unwrap());
    let removed: Vec<String> = log
        .lines()
        .iter()
        .filter_map(|line| line.rsplit('/').nth(1).map(str::to_owned))
        .collect();
    assert_eq!(removed, ["rolebindings", "roles", "serviceaccounts"]);
}
