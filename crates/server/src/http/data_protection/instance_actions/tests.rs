//! Suspend, stop, resume, sync, delete and undelete through the public contract.

use std::time::Duration;

use serde_json::{Value, json};

use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::testing::{Answer, VERSION};
use crate::worker::expire_for_test;

/// Days for which the example vault keeps what is deleted, and a little more.
const PAST_SOFT_DELETE: Duration = Duration::from_secs(14 * 24 * 3600 + 60);

async fn state(it: &Protected) -> Value {
    let read = it.harness.get(&it.instance).await.json();
    read["properties"]["currentProtectionState"].clone()
}

/// A POST that is accepted and whose operation has ended well.
async fn done(it: &Protected, action: &str) {
    let answer = it.post_without_body(action).await;
    assert_eq!(answer.status, 202, "{action}: {}", answer.text);
    let ended = it.ended(answer.header("azure-asyncoperation")).await;
    assert_eq!(ended["status"], "Succeeded", "{action}: {ended}");
    assert_eq!(it.follow(answer.header("location")).await.status, 204);
}

fn deleted_of(it: &Protected) -> String {
    it.instance
        .replace("/backupInstances/", "/deletedBackupInstances/")
}

async fn undelete(it: &Protected) -> Answer {
    let path = format!("{}/undelete", deleted_of(it));
    it.harness.call("POST", &path, None).await
}

#[tokio::test]
async fn a_suspended_instance_is_backed_up_on_demand_only_until_it_is_resumed() {
    let it = Protected::new().await;
    done(&it, "suspendBackups").await;
    assert_eq!(state(&it).await, "BackupSchedulesSuspended");
    let read = it.harness.get(&it.instance).await.json();
    assert_eq!(read["properties"]["scheduleStatus"]["state"], "Suspended");
    // Again is no error, and a body, as newer versions have one, is fine.
    let body = json!({"resourceGuardOperationRequests": []});
    assert_eq!(it.post("suspendBackups", body).await.status, 202);
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    it.extension_backs_up().await;
    // Another write of the instance does not resume it.
    let same = json!({"properties": it.instance_document()});
    let put = it.harness.put(&it.instance, same).await;
    it.ended(put.header("azure-asyncoperation")).await;
    assert_eq!(state(&it).await, "BackupSchedulesSuspended");
    done(&it, "resumeBackups").await;
    assert_eq!(state(&it).await, "ProtectionConfigured");
}

#[tokio::test]
async fn a_stopped_instance_is_not_backed_up_and_keeps_everything_and_can_be_restored() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    let newer = it.recovery_point().await;
    done(&it, "stopProtection").await;
    assert_eq!(state(&it).await, "ProtectionStopped");
    for action in ["backup", "suspendBackups", "resumeBackups"] {
        let refused = it.post(action, adhoc()).await.refusal();
        assert_eq!(
            refused,
            (409, "UserErrorProtectionNotConfigured".to_owned()),
            "{action}"
        );
    }
    let long = Duration::from_secs(400 * 24 * 3600);
    it.harness.clock.advance(long);
    expire_for_test(&it.harness.app, long).await;
    assert_eq!(it.recovery_points().await, 2, "{point} {newer}");
    let restore = it.post("restore", json!({"x": 1})).await;
    assert_eq!(
        restore.status, 400,
        "refused for its body, not for its state"
    );
    let body = restore_of(&point, &it.cluster);
    assert_eq!(it.post("restore", body).await.status, 202);
    done(&it, "resumeProtection").await;
    assert_eq!(state(&it).await, "ProtectionConfigured");
}

#[tokio::test]
async fn a_stop_is_not_undone_by_a_configuration_that_was_under_way() {
    let it = Protected::new().await;
    let same = json!({"properties": it.instance_document()});
    // The configuration waits for its turn on this one thread until somebody else waits.
    let put = it.harness.put(&it.instance, same).await;
    let terms = crate::app::resources::Terms::of_server(&it.harness.app);
    let id = crate::app::ResourceId::published(it.instance.clone());
    let action = strongroom_core::protection::Action::StopProtection;
    crate::app::instances::change(&it.harness.app, &id, action, &terms)
        .await
        .unwrap();
    it.ended(put.header("azure-asyncoperation")).await;
    let read = it.harness.get(&it.instance).await.json();
    assert_eq!(
        read["properties"]["currentProtectionState"],
        "ProtectionStopped"
    );
    assert_eq!(read["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn an_instance_that_failed_to_be_configured_is_synced() {
    let it = Protected::new().await;
    it.harness.clusters.set_unreachable(true);
    let other = format!("{}-2", it.instance);
    let policy = format!("{}-2", it.policy);
    it.harness
        .put(&policy, crate::app::policies::example())
        .await;
    let mut document = it.instance_document();
    document["policyInfo"]["policyId"] = json!(policy);
    let put = it
        .harness
        .put(&other, json!({"properties": document}))
        .await;
    it.ended(put.header("azure-asyncoperation")).await;
    let synced = async |kind: Option<&str>| {
        let body = kind.map(|kind| json!({"syncType": kind}));
        let answer = it
            .harness
            .call("POST", &format!("{other}/sync"), body)
            .await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        let read = it.harness.get(&other).await.json();
        let state = read["properties"]["currentProtectionState"].clone();
        (ended["status"].clone(), state)
    };
    let failed = (json!("Failed"), json!("ConfiguringProtectionFailed"));
    let well = (json!("Succeeded"), json!("ProtectionConfigured"));
    assert_eq!(synced(None).await, failed);
    it.harness.clusters.set_unreachable(false);
    assert_eq!(synced(Some("Default")).await, well);
    it.harness.clusters.set_unreachable(true);
    assert_eq!(
        synced(Some("Default")).await,
        well,
        "there is nothing to try again"
    );
    let forced = synced(Some("ForceResync")).await;
    assert_eq!(forced, (json!("Failed"), json!("ProtectionConfigured")));
}

#[tokio::test]
async fn a_deleted_instance_comes_back_stopped_with_its_points() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    assert_eq!(it.harness.delete(&it.instance).await.status, 200);
    assert_eq!(it.harness.get(&it.instance).await.status, 404);
    assert_eq!(it.harness.delete(&it.instance).await.status, 204);
    let points = format!("{}/recoveryPoints", it.instance);
    assert_eq!(it.harness.get(&points).await.status, 404);
    let shown = it.harness.get(&deleted_of(&it)).await.json();
    assert_eq!(shown["id"], deleted_of(&it));
    let info = &shown["properties"]["deletionInfo"];
    assert!(
        info["scheduledPurgeTime"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-16T"),
        "{info}"
    );
    assert_eq!(shown["properties"]["currentProtectionState"], "SoftDeleted");
    let all = deleted_of(&it).rsplit_once('/').unwrap().0.to_owned();
    let listed = it.harness.get(&all).await.json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    // Its name is taken; its cluster and its policy are not held any more.
    let same = json!({"properties": it.instance_document()});
    let taken = it.harness.put(&it.instance, same).await.refusal();
    assert_eq!(
        taken,
        (409, "UserErrorSoftDeletedResourceExists".to_owned())
    );
    assert_eq!(it.harness.delete(&it.policy).await.status, 200);

    assert_eq!(undelete(&it).await.status, 202);
    assert_eq!(state(&it).await, "ProtectionStopped");
    let read = it.harness.get(&it.instance).await.json();
    assert!(read["properties"].get("deletionInfo").is_none());
    assert_eq!(it.harness.get(&deleted_of(&it)).await.status, 404);
    assert_eq!(
        undelete(&it).await.refusal(),
        (404, "ResourceNotFound".to_owned())
    );
    let listed = it.harness.get(&points).await.json();
    assert_eq!(listed["value"][0]["name"], point);
    // Without its policy it can be restored from, and not be resumed.
    let resumed = it.post_without_body("resumeProtection").await.refusal();
    assert_eq!(resumed, (404, "ResourceNotFound".to_owned()));
    it.harness
        .put(&it.policy, crate::app::policies::example())
        .await;
    done(&it, "resumeProtection").await;
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
}

#[tokio::test]
async fn a_deleted_instance_is_purged_when_its_time_is_over_and_not_before() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.harness.delete(&it.instance).await;
    let still = async || it.harness.get(&deleted_of(&it)).await.status == 200;
    let minute = Duration::from_secs(60);
    expire_for_test(&it.harness.app, minute).await;
    it.harness.clock.advance(PAST_SOFT_DELETE);
    // A clock that leaps is not believed.
    expire_for_test(&it.harness.app, minute).await;
    assert!(still().await);
    expire_for_test(&it.harness.app, PAST_SOFT_DELETE).await;
    assert!(!still().await);
    it.look_until_idle().await;
    let instances = it.harness.app.blobs.path().join("acct01/backups/instances");
    let left = std::fs::read_dir(instances).map_or(0, |found| {
        found
            .filter(|one| one.as_ref().unwrap().path().join("points").exists())
            .count()
    });
    assert_eq!(left, 0);
    let same = json!({"properties": it.instance_document()});
    assert_eq!(it.harness.put(&it.instance, same).await.status, 201);
}

#[tokio::test]
async fn without_soft_delete_or_without_a_point_a_delete_is_final() {
    let it = Protected::new().await;
    it.harness.delete(&it.instance).await;
    assert_eq!(it.harness.get(&deleted_of(&it)).await.status, 404);
    let same = json!({"properties": it.instance_document()});
    let put = it.harness.put(&it.instance, same).await;
    it.ended(put.header("azure-asyncoperation")).await;
    it.recovery_point().await;
    it.soft_delete("Off").await;
    it.harness.delete(&it.instance).await;
    assert_eq!(it.harness.get(&deleted_of(&it)).await.status, 404);
}

#[tokio::test]
async fn a_vault_with_deleted_instances_is_deleted_with_them_and_brought_back() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.harness.delete(&it.instance).await;
    let location = it
        .vault
        .split("/resourceGroups/")
        .next()
        .unwrap()
        .to_owned()
        + "/providers/Microsoft.DataProtection/locations/westeurope/deletedVaults";
    assert_eq!(it.harness.delete(&it.vault).await.status, 200);
    assert_eq!(it.harness.get(&it.vault).await.status, 404);
    assert_eq!(it.harness.get(&it.policy).await.status, 404);
    assert_eq!(undelete(&it).await.status, 404);
    let old = format!("{location}?api-version=2025-07-01");
    assert_eq!(
        it.harness.get(&old).await.refusal().1,
        "InvalidApiVersionParameter"
    );
    let listed = it.harness.get(&location).await.json();
    let deleted = &listed["value"][0];
    assert_eq!(deleted["properties"]["originalBackupVaultId"], it.vault);
    let id = deleted["id"].as_str().unwrap();
    assert_eq!(it.harness.get(id).await.json()["name"], deleted["name"]);
    let example = crate::app::vaults::example();
    let taken = it.harness.put(&it.vault, example.clone()).await.refusal();
    assert_eq!(
        taken,
        (409, "UserErrorSoftDeletedResourceExists".to_owned())
    );
    let back = it
        .harness
        .request("PUT", &format!("{}?{VERSION}", it.vault))
        .header("content-type", "application/json")
        .header("x-ms-deleted-vault-id", id)
        .body(example.to_string().into())
        .unwrap();
    assert_eq!(it.harness.send(back).await.status, 200);
    assert_eq!(it.harness.get(&it.policy).await.status, 200);
    assert_eq!(undelete(&it).await.status, 202);
    assert_eq!(it.recovery_points().await, 1);
    // With its last instance a deleted vault goes for good.
    it.harness.delete(&it.instance).await;
    it.harness.delete(&it.vault).await;
    it.harness.clock.advance(PAST_SOFT_DELETE);
    expire_for_test(&it.harness.app, PAST_SOFT_DELETE).await;
    let listed = it.harness.get(&location).await.json();
    assert_eq!(listed["value"], json!([]));
    assert_eq!(it.harness.put(&it.vault, example).await.status, 201);
}
