//! Resource guards from the command line.

use serde_json::json;

use super::commands::full;
use super::{Answer, GROUP, VAULT, ok, stage};

fn guards(method: &str, path: &str) -> Option<Answer> {
    let guard = json!({"name": "g", "location": "westeurope", "properties": {
        "resourceGuardOperations": [{
            "vaultCriticalOperation": "Microsoft.DataProtection/backupVaults/backupInstances/delete",
            "requestResourceType": "Microsoft.DataProtection/resourceGuards/deleteBackupInstanceRequests",
        }],
    }});
    let link = json!({"id": format!("{VAULT}/backupResourceGuardProxies/p"), "name": "p", "properties": {
        "resourceGuardResourceId": "/g",
    }});
    match (method, path) {
        ("GET", path) if path.ends_with("/backupResourceGuardProxies") => {
            ok(json!({"value": [link]}))
        }
        ("POST", path) if path.ends_with("/unlockDelete") => {
            ok(json!({"unlockDeleteExpiryTime": "2026-01-02T03:04:05Z"}))
        }
        (_, path) if path.contains("/backupResourceGuardProxies/") => ok(link),
        ("GET", path) if path.ends_with("/resourceGuards") => ok(json!({"value": [guard]})),
        (_, path) if path.contains("/resourceGuards/") => ok(guard),
        _ => full(method, path),
    }
}

#[test]
fn a_guard_is_made_linked_asked_and_taken_away() {
    let stage = stage(guards).logged_in();
    let made = stage.run("guard create g --exclude backupInstances/stopProtection/action");
    assert_eq!(made.code, 0, "{made}");
    assert!(made.out.contains("backupInstances/delete"), "{made}");
    let guard = format!("{GROUP}/providers/Microsoft.DataProtection/resourceGuards/g");
    let body = stage.body(&format!("PUT {guard}"));
    assert_eq!(
        body["properties"]["vaultCriticalOperationExclusionList"],
        json!(["Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action"])
    );
    assert_eq!(stage.run("guard list").code, 0);
    let linked = stage.run("guard link g --vault v");
    assert_eq!(linked.code, 0, "{linked}");
    let link = format!("{VAULT}/backupResourceGuardProxies");
    let body = stage.body(&format!("PUT {link}/DppResourceGuardProxy"));
    assert_eq!(
        body["properties"]["resourceGuardResourceId"],
        guard.as_str()
    );
    let unlocked = stage.run("guard unlock i --vault v");
    assert!(unlocked.err.contains("2026-01-02T03:04:05Z"), "{unlocked}");
    let body = stage.body(&format!("POST {link}/p/unlockDelete"));
    assert_eq!(
        body["resourceToBeDeleted"],
        format!("{VAULT}/backupInstances/i")
    );
    assert_eq!(stage.run("guard unlink --vault v").code, 0);
    assert_eq!(stage.run("guard delete g").code, 0);
}
