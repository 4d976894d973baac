//! What a body must be, for every route that reads one: what is required, what selects a type, what is read
//! only, and how deep it may nest. The models come from the document, so that a new one is held to the same.

use axum::body::Body;
use serde_json::{Map, Value, json};

use crate::http::openapi::document;
use crate::http::routes;
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::testing::{Answer, Harness};

use super::example;

/// Addresses and bodies of everything that can be written, each as it was accepted.
async fn written(it: &Protected) -> Vec<(String, Value)> {
    let group = it.vault.split("/providers/").next().unwrap().to_owned();
    let located = |properties: Value| json!({"location": "westeurope", "properties": properties});
    let guard = format!("{group}/providers/Microsoft.DataProtection/resourceGuards/guard");
    let assignment = format!(
        "{group}/providers/Microsoft.Authorization/roleAssignments/{}",
        uuid::Uuid::from_u128(5)
    );
    let principal = format!(
        "/providers/Strongroom.Administration/servicePrincipals/{}",
        uuid::Uuid::from_u128(6)
    );
    let account = it.container.split("/blobServices/").next().unwrap();
    let all = vec![
        (group.clone(), located(json!({}))),
        (it.vault.clone(), crate::app::vaults::example()),
        (it.policy.clone(), crate::app::policies::example()),
        (account.to_owned(), located(json!({}))),
        (it.container.clone(), json!({"properties": {}})),
        (
            it.cluster.clone(),
            located(json!({"kubeconfig": crate::testing::KUBECONFIG})),
        ),
        (it.extension.clone(), it.extension_document()),
        (it.binding.clone(), it.binding_document()),
        (
            it.instance.clone(),
            json!({"properties": it.instance_document()}),
        ),
        (guard, located(json!({}))),
        (
            assignment,
            json!({"properties": {
                "roleDefinitionId": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
                "principalId": uuid::Uuid::from_u128(9), "principalType": "ServicePrincipal",
            }}),
        ),
        (principal, json!({"properties": {"displayName": "nightly"}})),
    ];
    for (path, body) in &all {
        let answer = it.harness.put(path, body.clone()).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        settled(it, &answer).await;
    }
    all
}

/// Waits until what an answer began has ended.
async fn settled(it: &Protected, answer: &Answer) {
    let operation = answer.header("azure-asyncoperation");
    if !operation.is_empty() {
        it.ended(operation).await;
    }
}

/// Addresses and bodies of what acts on an instance, and of what is asked.
async fn asked(it: &Protected) -> Vec<(String, Value)> {
    let point = it.harness.recovery_point(&it.instance, 0).await.to_string();
    let restore = restore_of(&point, &it.cluster);
    let instance = json!({"backupInstance": it.instance_document()});
    let at = |action: &str| format!("{}/{action}", it.instance);
    vec![
        (format!("{}/validateForBackup", it.vault), instance.clone()),
        (at("validateForModifyBackup"), instance),
        (at("backup"), adhoc()),
        (
            at("validateRestore"),
            json!({"restoreRequestObject": restore}),
        ),
        (at("restore"), restore),
    ]
}

/// Every place in a value with the pointer that leads to it.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if let Some(members) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
        members.shift_remove(name);
    }
    body
}

fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

/// Members that are required of the models of the contract, wherever the bodies of these tests have them;
/// source: `Required.` in the models of azure-mgmt-dataprotection 2.2.0.
const REQUIRED: [&str; 18] = [
    "properties",
    "storageSettings",
    "datasourceTypes",
    "policyRules",
    "dataStoreType",
    "objectType",
    "taggingCriteria",
    "repeatingTimeIntervals",
    "isDefault",
    "taggingPriority",
    "deleteAfter",
    "sourceDataStore",
    "duration",
    "resourceID",
    "policyId",
    "dataSourceInfo",
    "recoveryPointId",
    "backupInstance",
];

/// Members of these names that the contract does not require where they are: a datasource may leave its
/// `objectType` out.
fn may_be_left_out(pointer: &str, body: &Value) -> bool {
    let parent = pointer.rsplit_once('/').unwrap().0;
    let of = &body.pointer(parent).unwrap()["objectType"];
    (pointer.ends_with("/objectType") && of == "Datasource")
        // A retention rule says whether it is the default one; absent is false, and one must be.
        || (pointer.ends_with("/isDefault") && of == "AzureRetentionRule")
}

#[tokio::test]
async fn what_is_required_must_be_there_and_must_not_be_null() {
    let it = Protected::new().await;
    let put = written(&it).await;
    let posted = asked(&it).await;
    let mut walked = 0;
    for (method, (path, body)) in [("PUT", put), ("POST", posted)]
        .into_iter()
        .flat_map(|(method, all)| all.into_iter().map(move |one| (method, one)))
    {
        // Of a group there is nothing to say, and the account of a role is no model of this provider.
        if !path.contains("Microsoft.DataProtection") || path.contains("resourceGuards") {
            continue;
        }
        let mut pointers = Vec::new();
        places(&body, "", &mut pointers);
        for pointer in pointers {
            let name = pointer.rsplit('/').next().unwrap();
            if !REQUIRED.contains(&name) || may_be_left_out(&pointer, &body) {
                continue;
            }
            for changed in [without(&body, &pointer), with(&body, &pointer, Value::Null)] {
                let answer = it.harness.call(method, &path, Some(changed)).await;
                assert_eq!(
                    answer.status, 400,
                    "{method} {path} {pointer}: {}",
                    answer.text
                );
                walked += 1;
            }
        }
    }
    assert!(walked > 60, "{walked}");
}

#[tokio::test]
async fn an_object_type_that_is_not_accepted_is_refused_wherever_it_stands() {
    let it = Protected::new().await;
    let mut bodies: Vec<(&str, (String, Value))> = Vec::new();
    bodies.extend(written(&it).await.into_iter().map(|one| ("PUT", one)));
    bodies.extend(asked(&it).await.into_iter().map(|one| ("POST", one)));
    let mut walked = 0;
    for (method, (path, body)) in bodies {
        let mut pointers = Vec::new();
        places(&body, "", &mut pointers);
        for pointer in pointers.iter().filter(|one| one.ends_with("/objectType")) {
            let now = body.pointer(pointer).unwrap().as_str().unwrap();
            // These two name themselves; they select nothing, and are kept as they are sent.
            if ["Datasource", "DataStoreInfoBase"].contains(&now) {
                continue;
            }
            for other in [
                json!("Other"),
                json!(now.to_lowercase()),
                json!(""),
                json!(1),
            ] {
                let answer = it
                    .harness
                    .call(method, &path, Some(with(&body, pointer, other.clone())))
                    .await;
                let (status, code) = answer.refusal();
                assert_eq!(status, 400, "{method} {path} {pointer} {other}");
                assert!(
                    code == "UnknownObjectType" || !other.is_string(),
                    "{method} {path} {pointer} {other}: {code}"
                );
                walked += 1;
            }
        }
    }
    assert!(walked > 40, "{walked}");
}

/// Members that the contract says are read-only, each with a value that no server would give; source:
/// `visibility=["read"]` in azure-mgmt-dataprotection 2.2.0, and what is ours.
fn read_only() -> Map<String, Value> {
    let Value::Object(members) = json!({
        "provisioningState": "Failed", "resourceMoveState": "MoveFailed",
        "resourceMoveDetails": {"operationId": "x"}, "isVaultProtectedByResourceGuard": true,
        "secureScore": "Maximum", "bcdrSecurityLevel": "Excellent",
        "protectionStatus": {"status": "ProtectionStopped"},
        "currentProtectionState": "ProtectionStopped",
        "protectionErrorDetails": {"code": "X"},
        "scheduleStatus": {"state": "Due"}, "deletionInfo": {"deleteActivityID": "x"},
        "allowAutoApprovals": false, "resourceGuardOperations": [],
        "clusterUid": "x", "apiServer": "https://evil", "connectivityStatus": "Offline",
        "hasKubeconfig": false, "kubernetesVersion": "v0",
        "primaryEndpoints": {"blob": "https://evil"},
        "appId": "x", "objectId": "x", "tenantId": "x", "passwordCredentials": [],
        "createdOn": "2001-01-01T00:00:00Z", "createdBy": "x", "scope": "/",
        "principalAssignedBy": "x",
    }) else {
        panic!("it is an object");
    };
    members
}

#[tokio::test]
async fn what_is_read_only_is_ignored_when_it_is_sent() {
    let it = Protected::new().await;
    for (path, body) in written(&it).await {
        let before = comparable(it.harness.get(&path).await.json());
        let mut changed = body.clone();
        for (name, value) in [
            ("id", json!("/subscriptions/x")),
            ("name", json!("other")),
            ("type", json!("Other/type")),
            ("eTag", json!("\"x\"")),
            ("systemData", json!({"createdBy": "evil"})),
        ] {
            changed[name] = value;
        }
        for (name, value) in read_only() {
            // Of an extension it says where it is installed, and is no text.
            if name == "scope" && path.contains("KubernetesConfiguration") {
                continue;
            }
            changed["properties"][name] = value;
        }
        let answer = it.harness.put(&path, changed).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        settled(&it, &answer).await;
        assert_eq!(
            comparable(it.harness.get(&path).await.json()),
            before,
            "{path}"
        );
    }
}

/// A document without what changes with each write.
fn comparable(mut document: Value) -> Value {
    for name in ["eTag", "systemData"] {
        document.as_object_mut().unwrap().shift_remove(name);
    }
    for name in ["lastConnectivityTime", "updatedOn", "lastStatusTime"] {
        document["properties"]
            .as_object_mut()
            .unwrap()
            .shift_remove(name);
    }
    document
}

#[tokio::test]
async fn a_write_that_names_another_version_is_refused_and_changes_nothing() {
    let it = Protected::new().await;
    let document = document(&routes());
    for (path, body) in written(&it).await {
        let of = crate::http::openapi::tests::operation(&document, "PUT", &path);
        let parameters = of["parameters"].as_array().unwrap();
        if !parameters.iter().any(|one| one["name"] == "If-Match") {
            continue;
        }
        let before = it.harness.get(&path).await.json();
        // What has no version of its own has none that could be named.
        if before["eTag"].is_null() {
            continue;
        }
        let absent = format!("{path}x");
        for (method, path, name, value) in [
            ("PUT", &path, "if-match", "\"other\""),
            ("PUT", &path, "if-match", "W/\"other\", \"another\""),
            ("PUT", &path, "if-none-match", "*"),
            ("DELETE", &path, "if-match", "\"other\""),
            ("PUT", &absent, "if-match", "*"),
        ] {
            let request = it
                .harness
                .request(method, path)
                .header("content-type", "application/json")
                .header(name, value)
                .body(Body::from(body.to_string()))
                .unwrap();
            let answer = it.harness.send(request).await;
            // Some names are GUIDs, and one letter more makes none of them.
            let is_no_name = *path == absent && answer.status == 400;
            assert!(
                answer.status == 412 || is_no_name,
                "{method} {path} {name}: {value}: {} {}",
                answer.status,
                answer.text
            );
        }
        assert_eq!(it.harness.get(&path).await.json(), before, "{path}");
    }
}

#[tokio::test]
async fn ten_thousand_levels_of_json_are_refused_by_every_route_that_reads_a_body() {
    const LEVELS: usize = 10_000;
    let harness = Harness::new().await;
    let document = document(&routes());
    let bodies = [
        "[".repeat(LEVELS),
        format!("{}{}", "[".repeat(LEVELS), "]".repeat(LEVELS)),
        format!(
            "{}1{}",
            "{\"properties\":".repeat(LEVELS),
            "}".repeat(LEVELS)
        ),
        format!(
            "{{\"objectType\":\"BackupPolicy\",\"properties\":{}0{}}}",
            "[{\"x\":".repeat(LEVELS),
            "}]".repeat(LEVELS)
        ),
    ];
    let mut walked = 0;
    for route in routes() {
        for (method, _) in &route.methods {
            let item = &document["paths"][route.path][method.as_str().to_lowercase()];
            if item["requestBody"]["content"]["application/json"].is_null() {
                continue;
            }
            for body in &bodies {
                let request = harness
                    .request(method.as_str(), &example(route.path))
                    .header("content-type", "application/json")
                    .body(Body::from(body.clone()))
                    .unwrap();
                let answer = harness.send(request).await;
                assert_eq!(
                    answer.refusal(),
                    (400, "InvalidRequestContent".to_owned()),
                    "{method} {}",
                    route.path
                );
                walked += 1;
            }
        }
    }
    assert!(walked > 100, "{walked}");
}
