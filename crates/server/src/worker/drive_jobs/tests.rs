//! Whole jobs against a cluster in memory: crashes between any two steps, clusters that go away, and
//! extensions that claim what is not so.

mod patience;
mod snapshot_classes;

use std::time::Duration;

use serde_json::json;
use strongroom_kubernetes::crd::{JobError, JobState};

use crate::app::jobs::{self, Step};
use crate::cluster_link::{ExtensionHealth, JobSpec};
use crate::data_plane::{JobScope, JobScopes as _};
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::worker::drive_due_jobs;
use crate::worker::limits::{JOBS_PER_CLUSTER, PURGES_AT_ONCE, SILENCE_LIMIT, UNAVAILABLE_LIMIT};

async fn started() -> Protected {
    let it = Protected::new().await;
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    it
}

async fn code_of_only_job(it: &Protected) -> String {
    let job = it.only_job().await;
    assert_eq!(job.status, "Failed");
    jobs::failure(&job).unwrap().code.as_str().to_owned()
}

#[tokio::test]
async fn a_backup_becomes_a_recovery_point_and_leaves_nothing_in_the_cluster() {
    let it = started().await;
    it.extension_backs_up().await;
    let job = it.only_job().await;
    assert_eq!(
        (job.status.as_str(), Step::of(&job)),
        ("CompletedWithWarnings", Step::Done)
    );
    assert!(job.started_at.is_some() && job.ended_at.is_some() && job.next_poll_at.is_none());
    assert!(it.harness.clusters.resources().is_empty());
    let points = it
        .harness
        .get(&format!("{}/recoveryPoints", it.instance))
        .await
        .json();
    let point = &points["value"][0]["properties"];
    assert_eq!(point["objectType"], "AzureBackupDiscreteRecoveryPoint");
    assert_eq!(point["recoveryPointState"], "Partial");
    assert_eq!(point["objectCount"], 1);
    assert_eq!(point["jobId"], job.id.to_string());
    assert!(point["expiryTime"].is_string(), "{point}");
}

#[tokio::test]
async fn a_recovery_point_tells_in_which_versions_its_cluster_served_each_type_but_not_in_lists() {
    let it = started().await;
    it.extension_backs_up().await;
    let list = format!("{}/recoveryPoints", it.instance);
    let listed = it.harness.get(&list).await.json()["value"][0].take();
    let brief = json!({"version": "v1.36.0", "platform": "linux/amd64"});
    assert_eq!(listed["properties"]["cluster"], brief);
    let shown = it.harness.get(listed["id"].as_str().unwrap()).await.json();
    let types = json!([
        {"resource": "configmaps", "preferredVersion": "v1", "servedVersions": ["v1"],
            "heldVersion": "v1"},
        {"resource": "events.events.k8s.io", "preferredVersion": "v1",
            "servedVersions": ["v1", "v1beta1"]},
    ]);
    assert_eq!(shown["properties"]["cluster"]["servedTypes"], types);
}

#[tokio::test]
async fn secrets_travel_sealed_and_the_credential_is_the_jobs_own() {
    let it = started().await;
    it.look_until_created().await;
    let secrets = it.harness.clusters.secrets();
    let backend = &secrets.store["backend"];
    assert_eq!(backend["endpoint"], "https://vault.example.org:8443");
    assert_eq!(backend["bucket"], "acct01.backups");
    let job = it.only_job().await;
    assert_eq!(backend["accessKeyId"], format!("SR{}", job.id.simple()));
    let secret = backend["secretAccessKey"].as_str().unwrap();
    let resource = it.harness.clusters.resources().remove(0);
    assert!(!format!("{:?}", resource.spec).contains(secret));
    assert!(!job.request.to_string().contains(secret));
}

#[tokio::test]
async fn a_jobs_credential_opens_its_own_repository_until_the_job_ends() {
    let it = started().await;
    it.look_until_created().await;
    let job = it.only_job().await.id;
    let scopes = crate::app::repositories::StoredScopes(it.harness.app.clone());
    let JobScope::Open(scope) = scopes.scope(job).await.unwrap() else {
        panic!()
    };
    assert_eq!(scope.bucket.to_string(), "acct01.backups");
    assert_eq!(scope.prefix.as_str(), it.harness.clusters.secrets().prefix);
    it.extension_backs_up().await;
    assert_eq!(scopes.scope(job).await.unwrap(), JobScope::Ended);
    assert_eq!(
        scopes.scope(uuid::Uuid::nil()).await.unwrap(),
        JobScope::Unknown
    );
}

#[tokio::test]
async fn a_second_backup_names_the_first_as_its_parent() {
    let it = Protected::new().await;
    let first = it.recovery_point().await;
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    let JobSpec::Backup(spec) = it.harness.clusters.resources().remove(0).spec else {
        panic!()
    };
    assert_eq!(spec.parent_recovery_point_id.unwrap().to_string(), first);
}

#[tokio::test]
async fn the_hooks_of_a_configuration_reach_the_extension_in_their_order() {
    let it = Protected::new().await;
    let mut instance = it.instance_document();
    instance["policyInfo"]["policyParameters"] = json!({"backupDatasourceParametersList": [{
        "objectType": "KubernetesClusterBackupDatasourceParameters",
        "snapshotVolumes": true, "includeClusterScopeResources": true,
        "backupHookReferences": [
            {"name": "web", "namespace": "shop"}, {"name": "db", "namespace": "ops"},
        ],
    }]});
    let put = it
        .harness
        .put(&it.instance, json!({ "properties": instance }))
        .await;
    assert!(put.status < 300, "{}", put.text);
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    it.look_until_created().await;
    let JobSpec::Backup(spec) = it.harness.clusters.resources().remove(0).spec else {
        panic!()
    };
    let hooks = spec.selection.backup_hook_references.iter();
    let hooks: Vec<_> = hooks.map(ToString::to_string).collect();
    assert_eq!(hooks, ["shop/web", "ops/db"]);
}

#[tokio::test]
async fn a_step_that_was_done_but_not_written_down_is_done_again_without_harm() {
    // Each round undoes what the worker wrote after its n-th look, as a kill just before the write
    // would, and lets it go on.
    for killed_after in 0..8 {
        let it = started().await;
        let mut looks = 0;
        let mut sealed = false;
        for _ in 0..40 {
            let before = it.only_job().await;
            it.look().await;
            looks += 1;
            if looks == killed_after && before.ended_at.is_none() {
                let after = it.only_job().await;
                if after.ended_at.is_none() {
                    let undone = crate::store::JobRow {
                        generation: after.generation,
                        ..before
                    };
                    jobs::advance(&it.harness.app, undone)
                        .await
                        .unwrap()
                        .unwrap();
                }
            }
            if !sealed && !it.harness.clusters.resources().is_empty() {
                let digest = it.seal().await;
                it.claim(JobState::Completed, Some(digest));
                sealed = true;
            }
        }
        let job = it.only_job().await;
        assert_eq!(
            (job.status.as_str(), Step::of(&job)),
            ("Completed", Step::Done),
            "{killed_after}"
        );
        assert_eq!(it.recovery_points().await, 1);
        assert!(it.harness.clusters.resources().is_empty());
    }
}

#[tokio::test]
async fn two_workers_on_one_job_do_not_record_it_twice() {
    let it = started().await;
    it.look_until_created().await;
    let digest = it.seal().await;
    it.claim(JobState::Completed, Some(digest));
    for _ in 0..10 {
        it.harness.clock.advance(Duration::from_secs(1));
        let (a, b) = tokio::join!(
            drive_due_jobs(&it.harness.app),
            drive_due_jobs(&it.harness.app)
        );
        a.unwrap();
        b.unwrap();
    }
    assert_eq!(it.recovery_points().await, 1);
    assert_eq!(it.only_job().await.status, "Completed");
    assert_eq!(it.harness.clusters.creates(), 1);
}

#[tokio::test]
async fn a_claim_without_a_manifest_is_not_believed() {
    for claimed in [Some("0".repeat(64)), None] {
        let it = started().await;
        it.look_until_created().await;
        it.claim(JobState::Completed, claimed);
        it.look_until_idle().await;
        assert_eq!(code_of_only_job(&it).await, "RecoveryPointCorrupt");
        assert_eq!(it.recovery_points().await, 0);
    }
}

#[tokio::test]
async fn a_claim_of_another_digest_is_not_believed_and_the_point_does_not_stay() {
    let it = started().await;
    it.look_until_created().await;
    it.seal().await;
    let repository = it.repository().await;
    it.claim(JobState::Completed, Some("0".repeat(64)));
    it.look_until_idle().await;
    assert_eq!(code_of_only_job(&it).await, "RecoveryPointCorrupt");
    assert!(repository.points().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_extensions_failure_is_the_jobs_failure_with_code_and_way_out() {
    let it = started().await;
    it.look_until_created().await;
    it.harness.clusters.update_status(|status| {
        status.state = JobState::Failed;
        status.error = Some(JobError {
            code: "BackupStorageLocationFull".into(),
            message: "No room.".into(),
            ..JobError::default()
        });
    });
    it.look_until_idle().await;
    assert_eq!(code_of_only_job(&it).await, "BackupStorageLocationFull");
    let job = it.only_job().await.id;
    let shown = it
        .harness
        .get(&format!("{}/backupJobs/{job}", it.vault))
        .await
        .json();
    let error = &shown["properties"]["errorDetails"][0];
    assert_eq!(error["code"], "BackupStorageLocationFull");
    assert!(!error["recommendedAction"][0].as_str().unwrap().is_empty());
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn a_cluster_that_is_lost_fails_the_job_and_is_cleaned_up_when_it_returns() {
    let it = started().await;
    it.look_until_created().await;
    it.harness.clusters.begin_work();
    it.look().await;
    it.harness.clusters.set_unreachable(true);
    it.look().await;
    assert_eq!(it.only_job().await.status, "InProgress");
    it.harness.clock.advance(UNAVAILABLE_LIMIT);
    it.look().await;
    assert_eq!(code_of_only_job(&it).await, "ClusterLostDuringJob");
    assert_eq!(Step::of(&it.only_job().await), Step::Remove);
    it.harness.clock.advance(Duration::from_secs(24 * 60 * 60));
    it.look().await;
    assert_eq!(it.harness.clusters.resources().len(), 1);
    it.harness.clusters.set_unreachable(false);
    it.harness.clock.advance(Duration::from_secs(60));
    it.look_until_idle().await;
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn a_cluster_that_comes_back_in_time_costs_nothing() {
    let it = started().await;
    it.look_until_created().await;
    it.harness.clusters.begin_work();
    it.look().await;
    it.harness.clusters.set_unreachable(true);
    it.look().await;
    it.harness.clock.advance(UNAVAILABLE_LIMIT / 2);
    it.look().await;
    it.harness.clusters.set_unreachable(false);
    it.harness.clock.advance(Duration::from_secs(30));
    it.extension_backs_up().await;
    assert_eq!(it.only_job().await.status, "CompletedWithWarnings");
}

#[tokio::test]
async fn an_extension_that_dies_for_good_ends_the_job_with_its_published_code() {
    let it = started().await;
    it.look_until_created().await;
    it.harness.clusters.begin_work();
    it.look().await;
    it.harness.clock.advance(SILENCE_LIMIT);
    it.look_until_idle().await;
    assert_eq!(
        code_of_only_job(&it).await,
        "UserErrorBackupPluginPodRestartedDuringBackup"
    );
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn a_job_waits_a_while_for_an_extension_that_is_not_ready() {
    let it = Protected::new().await;
    it.harness
        .clusters
        .set_health(ExtensionHealth::Starting("image is pulled".into()));
    it.post("backup", adhoc()).await;
    for _ in 0..5 {
        it.look().await;
    }
    assert_eq!(it.only_job().await.status, "InProgress");
    it.harness
        .clock
        .advance(it.harness.app.job_limits.extension_wait);
    it.look_until_idle().await;
    assert_eq!(
        code_of_only_job(&it).await,
        "UserErrorKubernetesBackupExtensionUnhealthy"
    );
}

#[tokio::test]
async fn a_custom_resource_that_a_user_removed_fails_the_job() {
    let it = started().await;
    it.look_until_created().await;
    it.harness.clusters.drop_resources();
    it.look_until_idle().await;
    assert_eq!(
        code_of_only_job(&it).await,
        "KubernetesBackupCustomResourcesTrackingTimeOutError"
    );
}

#[tokio::test]
async fn a_restore_carries_the_criteria_and_ends_with_what_was_done() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    it.post("restore", restore_of(&point, &it.cluster)).await;
    it.look_until_created().await;
    let JobSpec::Restore(spec) = it.harness.clusters.resources().remove(0).spec else {
        panic!()
    };
    assert_eq!(spec.recovery_point_id.to_string(), point);
    assert_eq!(
        spec.criteria.conflict_policy,
        strongroom_core::restore::ConflictPolicy::Patch
    );
    let job = it.open_job().await.id;
    it.harness.clusters.update_status(|status| {
        status.counts.insert("Created".into(), 3);
    });
    it.claim(JobState::Completed, None);
    it.look_until_idle().await;
    let job = it.job(job).await;
    assert_eq!(job.status, "Completed");
    assert_eq!(job.result["counts"]["Created"], 3);
    assert!(it.harness.clusters.resources().is_empty());
}

#[tokio::test]
async fn no_more_jobs_run_in_a_cluster_than_it_can_bear() {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    let template = it.only_job().await;
    // Other jobs of the cluster, as if of other instances.
    let mut session = it.harness.app.store.begin().await.unwrap();
    for _ in 0..JOBS_PER_CLUSTER {
        let other = crate::store::JobRow {
            id: it.harness.app.new_id(),
            instance_key: "/other".into(),
            step: Step::Observe.as_str().into(),
            next_poll_at: None,
            ..template.clone()
        };
        session.insert_job(&other).await.unwrap();
    }
    session.commit().await.unwrap();
    it.look().await;
    assert_eq!(Step::of(&it.job(template.id).await), Step::Admit);
    assert!(
        it.job(template.id).await.progress["waitingFor"]
            .as_str()
            .unwrap()
            .contains("other jobs")
    );
}

#[tokio::test]
async fn deleting_an_instance_deletes_what_it_stored() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let folder = it.harness.app.blobs.path().join("acct01/backups/instances");
    assert!(files_below(&folder) >= 3, "format, manifest and a pack");
    it.soft_delete("Off").await;
    let answer = it.harness.delete(&it.instance).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    it.look_until_idle().await;
    assert_eq!(files_below(&folder), 0);
    assert_eq!(it.recovery_points().await, 0);
}

#[tokio::test]
async fn purges_do_not_take_all_places() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.soft_delete("Off").await;
    it.harness.delete(&it.instance).await;
    let all = u32::try_from(PURGES_AT_ONCE).unwrap();
    let others = it.harness.app.purges.try_acquire_many(all).unwrap();
    it.look().await;
    let waiting = it.open_job().await;
    let why = waiting.progress["waitingFor"].as_str().unwrap().to_owned();
    assert!(why.contains("being deleted"), "{why}");
    drop(others);
    it.look_until_idle().await;
    assert_eq!(it.job(waiting.id).await.status, "Completed");
}

#[tokio::test]
async fn what_a_deleted_instance_left_does_not_get_in_the_way_of_the_next_of_its_name() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let old = it.only_job().await;
    it.soft_delete("Off").await;
    let answer = it.harness.delete(&it.instance).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    // Its purge stands still, and so do as many others as may run in the cluster.
    let purge = it.open_job().await;
    let mut session = it.harness.app.store.begin().await.unwrap();
    for _ in 0..JOBS_PER_CLUSTER {
        let other = crate::store::JobRow {
            id: it.harness.app.new_id(),
            next_poll_at: None,
            ..purge.clone()
        };
        session.insert_job(&other).await.unwrap();
    }
    session.commit().await.unwrap();

    let instance = serde_json::json!({"properties": it.instance_document()});
    let configured = it.harness.put(&it.instance, instance).await;
    it.ended(configured.header("azure-asyncoperation")).await;
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    it.extension_backs_up().await;
    assert_eq!(it.recovery_points().await, 1);
    // The old report went with its instance, and the new key begins nothing in the old place.
    let report = format!("{}/backupJobs/{}/report", it.vault, old.id);
    assert_eq!(
        it.harness.get(&report).await.refusal(),
        (404, "ResourceNotFound".to_owned())
    );
    let folder = it.harness.app.blobs.path().join("acct01/backups/instances");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[tokio::test]
async fn a_container_with_recovery_points_is_not_forgotten_whatever_is_in_its_folder() {
    let it = Protected::new().await;
    it.recovery_point().await;
    // As with a disk that is not mounted, or a bucket, into which nobody looks.
    let folder = it.harness.app.blobs.path().join("acct01/backups");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        it.harness.delete(&it.container).await.refusal(),
        (409, "ResourceInUse".to_owned())
    );
    std::fs::create_dir(&folder).unwrap();
    it.soft_delete("Off").await;
    it.harness.delete(&it.instance).await;
    it.look_until_idle().await;
    assert_eq!(it.harness.delete(&it.container).await.status, 200);
}

fn files_below(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            if entry.path().is_dir() {
                files_below(&entry.path())
            } else {
                1
            }
        })
        .sum()
}
