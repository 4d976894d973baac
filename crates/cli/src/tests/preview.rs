//! `strongroom instance preview`: what it sends and shows.

use clap::Parser as _;
use serde_json::{Value, json};

use super::commands::full;
use super::{Answer, Stage, VAULT, accepted, ok, stage};

fn script(method: &str, path: &str) -> Option<Answer> {
    match (method, path) {
        ("POST", path) if path.ends_with("/previewBackup") => accepted(),
        ("GET", "/result") => ok(json!({
            "objectType": "BackupPreview", "taken": 5, "bytes": 2048, "left": 3, "cut": "cut at 7",
            "types": [
                {"group": "", "kind": "ConfigMap", "taken": 3, "bytes": 1024,
                    "left": [{"reason": "its labels do not match the label selectors", "objects": 3}]},
                {"group": "", "kind": "Event", "notRead": "events expire"},
                {"group": "apps", "kind": "Deployment", "taken": 2, "bytes": 1024},
                {"group": "batch", "kind": "Job"},
            ],
            "warnings": [{"code": "UserErrorNamespaceNotFound", "message": "Namespace nowhere: it does not exist",
                "recommendedAction": ["Look for a slip of the pen."]}],
        })),
        _ => full(method, path),
    }
}

fn configuration(stage: &Stage) -> Value {
    let body = stage.body(&format!("POST {VAULT}/previewBackup"));
    body["backupInstance"]["policyInfo"]["policyParameters"]["backupDatasourceParametersList"][0]
        .clone()
}

#[test]
fn it_shows_what_a_backup_would_take_and_leave_and_what_is_worth_a_look() {
    let stage = stage(script).logged_in();
    let outcome =
        stage.run("instance preview --vault v --cluster c --include-namespaces shop,nowhere");
    assert_eq!(outcome.code, 0, "{outcome}");
    insta::assert_snapshot!(outcome.to_string());
    let sent = configuration(&stage);
    assert_eq!(sent["includedNamespaces"], json!(["shop", "nowhere"]));
    assert_eq!(sent["includeClusterScopeResources"], true);
}

#[test]
fn programs_get_all_of_it() {
    let stage = stage(script).logged_in();
    let outcome = stage.run("instance preview --vault v --cluster c -o json");
    let preview: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(preview["taken"], 5);
    assert_eq!(preview["types"][1]["notRead"], "events expire");
    assert_eq!(preview["warnings"][0]["code"], "UserErrorNamespaceNotFound");
}

#[test]
fn an_existing_instance_is_previewed_with_what_is_given_in_its_place() {
    let stage = stage(script).logged_in();
    let outcome = stage
        .run("instance preview --vault v --name i --include-cluster-scope false --label-selector env=prod");
    assert_eq!(outcome.code, 0, "{outcome}");
    let sent = configuration(&stage);
    assert_eq!(sent["includeClusterScopeResources"], false);
    assert_eq!(sent["labelSelectors"], json!(["env=prod"]));
    let body = stage.body(&format!("POST {VAULT}/previewBackup"));
    assert!(
        body["backupInstance"]["dataSourceInfo"]["resourceID"].is_string(),
        "{body}"
    );
}

#[test]
fn neither_a_cluster_nor_an_instance_is_a_misuse() {
    let words = ["strongroom", "instance", "preview", "--vault", "v"];
    let error = super::Program::try_parse_from(words).unwrap_err();
    assert!(error.to_string().contains("--cluster <CLUSTER>"), "{error}");
}
