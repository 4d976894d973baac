//! What each command sends and shows.

use serde_json::{Value, json};

use super::{
    Answer, CLUSTER, GROUP, VAULT, accepted, cluster, instance, job, job_operation, ok, policy,
    stage,
};
use crate::exit_code;

/// A server on which everything exists once and every change works.
pub(super) fn full(method: &str, path: &str) -> Option<Answer> {
    let points = format!("{VAULT}/backupInstances/i/recoveryPoints");
    let one = |value: Value| ok(json!({ "value": [value] }));
    match (method, path) {
        ("PUT", path) if path.contains("/backupVaults/v/backupInstances/") => ok(instance()),
        ("PUT", path) if path.contains("/backupPolicies/") => ok(policy()),
        ("PUT", path) if path.contains("/connectedClusters/c/trustedAccess") => ok(json!({
            "name": "v", "properties": {"sourceResourceId": VAULT, "roles": ["r"], "provisioningState": "Succeeded"}
        })),
        ("PUT" | "GET", path) if path.contains("/extensions/") => ok(extension()),
        ("PUT", path) if path.contains("/connectedClusters/") => ok(cluster()),
        ("PUT", path) if path.contains("/resourcegroups/") => ok(
            json!({"name": "rg", "location": "westeurope", "properties": {"provisioningState": "Succeeded"}}),
        ),
        ("PUT", path) if path.contains("/containers/") => {
            ok(json!({"name": "backups", "properties": {}}))
        }
        ("PUT", path) if path.contains("/storageAccounts/") => ok(
            json!({"name": "a", "location": "westeurope", "properties": {"backend": {"kind": "Embedded"}, "provisioningState": "Succeeded"}}),
        ),
        ("PUT", path) if path.contains("/backupVaults/") => ok(vault()),
        ("PATCH", VAULT) => ok(vault()),
        ("POST", path) if path.ends_with("/validateForBackup") => accepted(),
        ("GET", path) if path.ends_with("/trustedAccessRoleBindings") => {
            one(json!({"name": "v", "properties": {"sourceResourceId": VAULT, "roles": ["r"]}}))
        }
        ("GET", "/op") => ok(json!({"status": "Succeeded"})),
        ("GET", "/result") => ok(json!({"objectType": "OperationJobExtendedInfo", "jobId": null})),
        ("POST", _) => ok(job_operation()),
        ("GET", path) if path == points => ok(json!({"value": [point("old", 1), point("new", 2)]})),
        ("GET", path) if path.starts_with(&points) => ok(point("new", 2)),
        ("GET", path) if path.ends_with("/backupInstances") => one(instance()),
        ("GET", path) if path.contains("/backupInstances/") => ok(instance()),
        ("GET", path) if path.ends_with("/backupPolicies") => one(policy()),
        ("GET", path) if path.contains("/backupPolicies/") => ok(policy()),
        ("GET", path) if path.ends_with("/backupJobs") => {
            ok(json!({"value": [job("Completed"), job("InProgress")]}))
        }
        ("GET", path) if path.ends_with("/report") => ok(json!({"value": [
            {"object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"}, "outcome": "BackedUp", "reason": "selected"},
            {"object": {"group": "", "version": "v1", "kind": "Pod", "namespace": "shop", "name": "web-1"}, "outcome": "Failed", "reason": "too large", "code": "ObjectTooLarge"}
        ]})),
        ("GET", path) if path.contains("/backupJobs/") => ok(job("Completed")),
        ("GET", path) if path.ends_with("/connectedClusters") => one(cluster()),
        ("GET", path) if path.ends_with("/managedClusters") => ok(json!({"value": []})),
        ("GET", CLUSTER) => ok(cluster()),
        ("GET", path) if path.ends_with("/extensions") => one(extension()),
        ("GET", path) if path.ends_with("/backupVaults") => one(vault()),
        ("GET", VAULT) => ok(vault()),
        ("GET", path) if path.eq_ignore_ascii_case(GROUP) => {
            ok(json!({"name": "rg", "location": "northeurope"}))
        }
        _ => None,
    }
}

fn vault() -> Value {
    json!({"id": VAULT, "name": "v", "location": "westeurope", "properties": {
        "provisioningState": "Succeeded", "storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}]
    }})
}

fn extension() -> Value {
    json!({"name": "azure-aks-backup", "properties": {
        "extensionType": "microsoft.dataprotection.kubernetes", "currentVersion": "0.1.0", "provisioningState": "Succeeded",
        "configurationSettings": {"storageAccount": "a", "blobContainer": "backups"},
        "statuses": [{"code": "Ready", "level": "Information", "message": "ready"}]
    }})
}

fn point(name: &str, day: u8) -> Value {
    json!({"name": name, "properties": {
        "objectType": "AzureBackupDiscreteRecoveryPoint", "recoveryPointTime": format!("2026-01-0{day}T03:04:05.6Z"),
        "expiryTime": "2026-01-09T03:04:05Z", "retentionTagName": "Default", "recoveryPointState": "Completed",
        "recoveryPointDataStoresDetails": [{"type": "OperationalStore"}], "objectCount": 27, "sizeInBytes": 123_456, "newBytes": 2048
    }})
}

#[test]
fn every_list_and_show_is_a_table() {
    let stage = stage(full).logged_in();
    for words in [
        "vault list",
        "vault show v",
        "policy list --vault v",
        "policy show p --vault v",
        "cluster list",
        "cluster show c",
        "extension show --cluster c",
        "instance list --vault v",
        "instance show i --vault v",
        "recovery-point list --instance i --vault v",
        "recovery-point show new --instance i --vault v",
        "job list --vault v",
        "job list --vault v --status inprogress",
        "job show j-1 --vault v",
        "job report j-1 --vault v",
    ] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, 0, "{words}: {outcome}");
        assert!(outcome.err.is_empty(), "{words}: {outcome}");
        insta::assert_snapshot!(
            format!("table_{}", words.replace([' ', '-'], "_")),
            outcome.out
        );
    }
}

#[test]
fn programs_get_what_the_server_said() {
    let stage = stage(full).logged_in();
    let json: Value = serde_json::from_str(&stage.run("cluster show c -o json").out).unwrap();
    assert_eq!(json["properties"]["connectivityStatus"], "Connected");
    let yaml: Value = serde_norway::from_str(&stage.run("vault list -o yaml").out).unwrap();
    assert_eq!(yaml[0]["name"], "v");
    let report: Value =
        serde_json::from_str(&stage.run("job report j-1 --vault v -o json").out).unwrap();
    assert_eq!(report[1]["code"], "ObjectTooLarge");
}

#[test]
fn the_spine_can_be_set_up() {
    let stage = stage(full).logged_in();
    let kubeconfig = stage.file(
        "kubeconfig",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://k'}}]\nusers: [{name: u, user: {token: s3cret}}]\n",
    );
    for words in [
        "group create rg -l westeurope",
        "vault create v --redundancy zone --soft-delete off --tag team=shop",
        "policy create p --vault v --interval PT5M --retention P1D",
        "storage account create a",
        "storage container create backups --account a",
        &format!("cluster register c --kubeconfig {kubeconfig}"),
        "extension install --cluster c --account a --container backups --image example.org/x:1",
        "cluster grant c --vault v",
        "instance create i --vault v --cluster c --policy p --include-namespaces shop,cart --label-selector env=prod --include-secrets false",
    ] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, 0, "{words}: {outcome}");
        assert!(
            !outcome.to_string().contains("s3cret"),
            "{words}: {outcome}"
        );
    }
    let bodies: Vec<(String, Value)> = {
        let seen = stage.seen.lock().unwrap();
        seen.iter()
            .filter(|(call, _)| call.starts_with("PUT"))
            .map(|(call, body)| (call.clone(), serde_json::from_str(body).unwrap()))
            .collect()
    };
    insta::assert_yaml_snapshot!(bodies);
}

#[test]
fn snapshot_classes_of_a_group_are_changed_one_driver_at_a_time() {
    let group = |classes: Value| {
        ok(json!({"name": "rg", "location": "l", "tags": {"a": "b"},
            "properties": {"snapshotClasses": classes}}))
    };
    let two =
        json!([{"driver": "one", "parameters": {"a": "b"}}, {"driver": "two", "parameters": {}}]);
    let stage = stage(move |method, path| match method {
        "GET" if path.eq_ignore_ascii_case(GROUP) => group(two.clone()),
        "PUT" if path.eq_ignore_ascii_case(GROUP) => group(json!([{"driver": "two"}])),
        _ => full(method, path),
    })
    .logged_in();
    let listed = stage.run("group snapshot-class list rg");
    assert!(listed.out.contains("a=b"), "{listed}");
    let sent = || {
        let seen = stage.seen.lock().unwrap();
        let (_, body) = seen
            .iter()
            .rfind(|(call, _)| call.starts_with("PUT"))
            .unwrap();
        serde_json::from_str::<Value>(body).unwrap()
    };
    let set =
        stage.run("group snapshot-class set rg --driver one --parameter x=1 --parameter y=z=2");
    assert_eq!(set.code, 0, "{set}");
    assert_eq!(
        sent(),
        json!({"location": "l", "tags": {"a": "b"}, "properties": {"snapshotClasses": [
            {"driver": "two", "parameters": {}},
            {"driver": "one", "parameters": {"x": "1", "y": "z=2"}}]}})
    );
    let removed = stage.run("group snapshot-class remove rg --driver one");
    assert_eq!(removed.code, 0, "{removed}");
    let left = &sent()["properties"]["snapshotClasses"];
    assert_eq!(left, &json!([{"driver": "two", "parameters": {}}]));
}

#[test]
fn an_s3_account_takes_its_secret_from_a_file() {
    let stage = stage(full).logged_in();
    let secret = stage.file("secret", "s3cret\n");
    let outcome = stage.run(&format!(
        "storage account create a --backend s3 --endpoint https://s3.example.org --region eu --access-key-id AK --secret-access-key-file {secret}"
    ));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!outcome.to_string().contains("s3cret"));
    assert!(!outcome.err.contains("warning"), "{outcome}");
    let body = stage.body(&format!(
        "PUT {GROUP}/providers/Microsoft.Storage/storageAccounts/a"
    ));
    assert_eq!(
        body["properties"]["backend"],
        json!({"kind": "S3", "endpoint": "https://s3.example.org", "region": "eu", "pathStyle": true, "accessKeyId": "AK", "secretAccessKey": "s3cret"})
    );
}

#[test]
fn accounts_of_azure_and_cloud_storage_take_their_keys_from_files() {
    let stage = stage(full).logged_in();
    let key = stage.file("key", "s3cret\n");
    for (options, backend) in [
        (
            format!("--backend azure-blob --azure-account tenant1 --account-key-file {key}"),
            json!({"kind": "AzureBlob", "account": "tenant1", "accountKey": "s3cret"}),
        ),
        (
            format!("--backend azure-blob --sas-file {key}"),
            json!({"kind": "AzureBlob", "sharedAccessSignature": "s3cret"}),
        ),
        (
            format!("--backend gcs --service-account-key-file {key}"),
            json!({"kind": "Gcs", "serviceAccountKey": "s3cret"}),
        ),
    ] {
        let outcome = stage.run(&format!("storage account create a {options}"));
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(!outcome.to_string().contains("s3cret"));
        let bodies = stage.seen.lock().unwrap();
        let (_, body) = bodies
            .iter()
            .rfind(|(call, _)| call.starts_with("PUT"))
            .unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["properties"]["backend"], backend);
    }
}

#[test]
fn an_s3_account_without_tls_is_made_with_a_warning() {
    let stage = stage(full).logged_in();
    let secret = stage.file("secret", "s3cret\n");
    let outcome = stage.run(&format!(
        "storage account create a --backend s3 --endpoint https://s3.example.org --extension-endpoint http://minio.storage.svc:9000 --access-key-id AK --secret-access-key-file {secret}"
    ));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(
        outcome
            .err
            .contains("warning: http://minio.storage.svc:9000 is not encrypted"),
        "{outcome}"
    );
    let body = stage.body(&format!(
        "PUT {GROUP}/providers/Microsoft.Storage/storageAccounts/a"
    ));
    assert_eq!(
        body["properties"]["backend"]["extensionEndpoint"],
        "http://minio.storage.svc:9000"
    );
}

#[test]
fn a_validation_without_a_job_ends_well() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("instance validate --vault v --cluster c --policy p");
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(
        outcome.out.is_empty() && outcome.err.contains("valid: "),
        "{outcome}"
    );
}

#[test]
fn a_backup_is_waited_for_unless_told_not_to() {
    let stage = stage(full).logged_in();
    insta::assert_snapshot!(stage.run("backup start i --vault v --retention-tag Weekly"));
    let body = stage.body(&format!("POST {VAULT}/backupInstances/i/backup"));
    let options = &body["backupRuleOptions"];
    assert_eq!(options["ruleName"], "BackupHourly");
    assert_eq!(options["triggerOption"]["retentionTagOverride"], "Weekly");
    assert_eq!(stage.run("backup start i --vault v --no-wait").out, "j-1\n");
    let json: Value =
        serde_json::from_str(&stage.run("backup start i --vault v --no-wait -o json").out).unwrap();
    assert_eq!(json, json!({"jobId": "j-1"}));
}

#[test]
fn quiet_says_nothing_but_data() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("backup start i --vault v -q");
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
}

#[test]
fn a_restore_names_the_newest_point_the_target_and_what_to_do_with_what_exists() {
    let stage = stage(full).logged_in();
    let outcome = stage.run(
        "restore start i --vault v --recovery-point latest --target-cluster c --conflict-policy patch --namespace-mapping shop=shop-2 --include-namespaces shop",
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    insta::assert_yaml_snapshot!(stage.body(&format!("POST {VAULT}/backupInstances/i/restore")));
}

#[test]
fn a_restore_can_be_validated_first() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("restore validate i --vault v --recovery-point old");
    assert_eq!(outcome.code, 0, "{outcome}");
    let body = stage.body(&format!("POST {VAULT}/backupInstances/i/validateRestore"));
    assert_eq!(body["restoreRequestObject"]["recoveryPointId"], "old");
    assert!(outcome.err.contains("strongroom job report"), "{outcome}");
}

#[test]
fn warnings_of_a_job_are_remarks() {
    let stage = stage(|method, path| {
        if path.ends_with("/backupJobs/j-1") {
            let mut found = job("CompletedWithWarnings");
            found["properties"]["extendedInfo"]["warningDetails"] =
                json!([{"resourceName": "Pod shop/web", "warning": {"code": "W", "message": "left out"}}]);
            return ok(found);
        }
        full(method, path)
    })
    .logged_in();
    let outcome = stage.run("job wait j-1 --vault v");
    assert_eq!(outcome.code, exit_code::SUCCESS);
    assert!(
        outcome.err.contains("warning[W]: Pod shop/web: left out"),
        "{outcome}"
    );
}

#[test]
fn without_a_location_the_resource_groups_is_taken() {
    let stage = stage(full).logged_in();
    let config = std::fs::read_to_string(stage.config())
        .unwrap()
        .replace("location: westeurope\n", "\n");
    std::fs::write(stage.config(), config).unwrap();
    assert_eq!(stage.run("vault create v").code, 0);
    assert_eq!(
        stage.body(&format!("PUT {VAULT}"))["location"],
        "northeurope"
    );
}

#[test]
fn contexts_are_kept_as_by_kubectl() {
    let stage = stage(full).logged_in();
    let token = stage.file("token", "t0ken");
    let outcome = stage.run(&format!(
        "login --server {} --token-file {token} --name second",
        stage.url
    ));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(stage.run("context use default -g other").code, 0);
    let listed = stage.run("context list");
    assert!(!listed.out.contains("t0ken"));
    insta::assert_snapshot!(listed.out);
    assert!(stage.run("context current").out.contains("default"));
    assert_eq!(stage.run("context delete default").code, 0);
    assert_eq!(stage.run("context current").code, exit_code::DENIED);
    assert_eq!(stage.run("context use default").code, exit_code::NOT_FOUND);
}

#[test]
fn login_takes_a_known_subscription_only() {
    let stage = stage(|_, _| None);
    let token = stage.file("token", "t0ken");
    let outcome = stage.run(&format!(
        "login --server {} --token-file {token} --subscription other",
        stage.url
    ));
    assert_eq!(outcome.code, exit_code::NOT_FOUND, "{outcome}");
}

#[test]
fn doctor_finds_nothing_when_all_is_well() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("doctor");
    assert_eq!(outcome.code, 0, "{outcome}");
    insta::assert_snapshot!(outcome);
}

#[test]
fn doctor_says_how_to_mend_what_is_amiss() {
    let stage = stage(|method, path| match (method, path) {
        ("GET", path) if path.ends_with("/extensions") => ok(json!({"value": []})),
        ("GET", path) if path.ends_with("/managedClusters") => ok(json!({"value": [{
            "id": "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/d",
            "name": "d", "properties": {"connectivityStatus": "Offline", "connectivityMessage": "connection refused"}
        }]})),
        ("GET", path) if path.ends_with("/backupInstances") => {
            let mut broken = instance();
            broken["properties"]["protectionErrorDetails"] =
                json!({"code": "UserErrorTrustedAccessMissing", "message": "no binding", "recommendedAction": ["Grant it."]});
            ok(json!({"value": [broken]}))
        }
        _ => full(method, path),
    })
    .logged_in();
    let outcome = stage.run("doctor");
    assert_eq!(outcome.code, exit_code::UNHEALTHY);
    insta::assert_snapshot!(outcome);
}

#[test]
fn deleting_says_so() {
    let stage = stage(|method, path| match method {
        "DELETE" => Some(Answer {
            status: if path.contains("gone") { 204 } else { 200 },
            headers: Vec::new(),
            body: Value::Null,
        }),
        _ => full(method, path),
    })
    .logged_in();
    for words in [
        "vault delete v",
        "policy delete p --vault v",
        "instance delete i --vault v",
        "cluster unregister c",
        "cluster revoke c --vault v",
        "extension uninstall --cluster c",
        "storage account delete a",
        "storage container delete backups --account a",
        "group delete rg",
    ] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, 0, "{words}: {outcome}");
        assert!(
            outcome.out.is_empty() && outcome.err.ends_with("is deleted\n"),
            "{words}: {outcome}"
        );
    }
    let outcome = stage.run("vault delete gone");
    assert_eq!(
        (outcome.code, outcome.err.as_str()),
        (0, "vault gone did not exist\n")
    );
}
