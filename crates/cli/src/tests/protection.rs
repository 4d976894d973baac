//! Suspend, stop, resume, delete with a way back.

use clap::Parser as _;
use serde_json::json;

use super::commands::full;
use super::{Answer, Program, VAULT, accepted, instance, ok, stage};

/// A server whose protections change without a job, and that holds a deleted instance and a deleted vault.
fn protections(method: &str, path: &str) -> Option<Answer> {
    let deleted_vaults = "/locations/westeurope/deletedVaults";
    match (method, path) {
        ("POST", path) if path.contains("ackupInstances/i/") => accepted(),
        ("GET", "/result") => ok(json!(null)),
        ("GET", path) if path.ends_with("/deletedBackupInstances") => {
            let mut deleted = instance();
            deleted["properties"]["deletionInfo"] = json!({
                "deletionTime": "2026-01-02T03:04:05Z", "scheduledPurgeTime": "2026-01-16T03:04:05Z",
            });
            ok(json!({"value": [deleted]}))
        }
        ("GET", path) if path.ends_with(deleted_vaults) => ok(json!({"value": [{
            "id": format!("/subscriptions/s/providers/Microsoft.DataProtection{deleted_vaults}/d-1"),
            "name": "d-1",
            "properties": {
                "originalBackupVaultId": VAULT, "originalBackupVaultName": "v",
                "originalBackupVaultResourcePath": VAULT,
                "resourceDeletionInfo": {"deletionTime": "2026-01-02T03:04:05Z"},
            },
        }]})),
        _ => full(method, path),
    }
}

#[test]
fn each_verb_asks_for_its_action_and_shows_what_became_of_the_instance() {
    let stage = stage(protections).logged_in();
    for (verb, action) in [
        ("suspend", "suspendBackups"),
        ("stop", "stopProtection"),
        ("resume", "resumeProtection"),
        ("sync", "sync"),
    ] {
        let outcome = stage.run(&format!("instance {verb} i --vault v"));
        assert_eq!(outcome.code, 0, "{verb}: {outcome}");
        assert!(
            outcome.out.contains("ProtectionConfigured"),
            "{verb}: {outcome}"
        );
        let wanted = format!("POST {VAULT}/backupInstances/i/{action}");
        let seen = stage.seen.lock().unwrap();
        assert!(
            seen.iter()
                .any(|(call, body)| *call == wanted && body.is_empty()),
            "{seen:?}"
        );
    }
}

#[test]
fn what_is_deleted_is_listed_with_its_end_and_brought_back() {
    let stage = stage(protections).logged_in();
    let listed = stage.run("instance list --vault v --deleted");
    assert!(listed.out.contains("2026-01-16T03:04:05Z"), "{listed}");
    let back = stage.run("instance undelete i --vault v");
    assert_eq!(back.code, 0, "{back}");
    assert!(back.err.contains("strongroom instance resume"), "{back}");
    let listed = stage.run("vault list --deleted");
    assert!(listed.out.contains("/deletedVaults/d-1"), "{listed}");
    let back = stage.run("vault undelete v");
    assert_eq!(back.code, 0, "{back}");
    let body = stage.body(&format!("PUT {VAULT}"));
    assert_eq!(body["location"], "westeurope");
    let none = stage.run("vault undelete other");
    assert_ne!(none.code, 0);
    assert!(none.err.contains("no deleted vault 'other'"), "{none}");
}

#[test]
fn a_vault_is_made_immutable_without_touching_its_other_settings() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("vault update v --immutability locked");
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(
        stage.body(&format!("PATCH {VAULT}")),
        json!({"properties": {"securitySettings": {"immutabilitySettings": {"state": "Locked"}}}})
    );
    let created = stage.run("vault create v --immutability unlocked --soft-delete always-on");
    assert_eq!(created.code, 0, "{created}");
    let settings = &stage.body(&format!("PUT {VAULT}"))["properties"]["securitySettings"];
    assert_eq!(settings["immutabilitySettings"]["state"], "Unlocked");
    assert_eq!(settings["softDeleteSettings"]["state"], "AlwaysOn");
    let nothing = Program::try_parse_from(["strongroom", "vault", "update", "v"]);
    assert!(nothing.is_err(), "nothing is to change");
}
