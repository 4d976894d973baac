//! Drivers and claims that do not do what they should, on the real cluster: what is told of whom, and that
//! nothing stays behind.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::Reconciled;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{BackupSpec, JobState, JobStatus};
use strongroom_kubernetes::snapshots;
use uuid::Uuid;

use super::super::faults::Faults;
use super::super::stage::{PATIENCE, Stage, core};
use super::shop::{Shop, claims};

const LOOK: Duration = Duration::from_millis(50);

impl Shop<'_> {
    /// The code and the words of each claim's line, by the claim's name.
    async fn told(&self, backup: &BackupSpec, status: &JobStatus) -> Vec<(String, String, String)> {
        let lines = self.claim_lines(backup, status).await;
        let told = lines.into_iter().map(|line| {
            let code = line.code.unwrap_or_default();
            (line.object.name, code, line.reason)
        });
        told.collect()
    }

    /// Backs up and expects this end of all claims; the recovery point.
    async fn is_told_as(&self, what: &str, code: &str, words: &str) -> Uuid {
        let backup = self.backup();
        let status = self.stage.run_backup(&backup, CrashPoints::none()).await;
        assert_eq!(
            (status.state, status.volumes),
            (JobState::CompletedWithWarnings, 0),
            "{what}: {status:#?}"
        );
        for (name, told, reason) in self.told(&backup, &status).await {
            assert_eq!(told, code, "{what}: {name}: {reason}");
            assert!(reason.contains(words), "{what}: {name}: {reason}");
        }
        backup.recovery_point_id
    }

    /// That nothing is left, once the reconciler has looked after what took its time.
    async fn is_swept(&self, what: &str, point: Uuid) {
        let swept = async {
            while self.reconcile().await.left > 0 || self.all().await != (vec![], vec![]) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, swept).await.is_err() {
            panic!("{what}: left: {:#?}", self.all().await);
        }
        assert_eq!(self.ledger(point).await, None, "{what}");
    }

    async fn create(&self, kind: &ResourceType, object: &Value) {
        objects::create(&self.stage.cluster, kind, object)
            .await
            .unwrap();
    }

    /// Takes the volume of a claim away, so that the claim is lost.
    async fn lose_volume(&self, claim: &str) {
        let (cluster, namespace) = (&self.stage.cluster, Some(self.namespace.as_str()));
        let found = objects::get(cluster, &claims(), namespace, claim).await;
        let found = found.unwrap().unwrap();
        let name = found["spec"]["volumeName"].as_str().unwrap().to_owned();
        let kind = core("PersistentVolume", "persistentvolumes", false);
        let how = objects::Propagation::Background;
        objects::delete(cluster, &kind, None, &name, None, how)
            .await
            .unwrap();
        let free = json!({"metadata": {"finalizers": null}});
        objects::patch_merge(cluster, &kind, None, &name, &free)
            .await
            .unwrap();
        self.until(claim, |claim| claim["status"]["phase"] == "Lost")
            .await;
    }

    /// A quota of no VolumeSnapshots at all, once it counts.
    async fn refuse_snapshots(&self) {
        let (cluster, namespace) = (&self.stage.cluster, Some(self.namespace.as_str()));
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": self.namespace},
            "spec": {"hard": {"count/volumesnapshots.snapshot.storage.k8s.io": "0"}}});
        let kind = core("ResourceQuota", "resourcequotas", true);
        self.create(&kind, &quota).await;
        let counted = async {
            loop {
                let live = objects::get(cluster, &kind, namespace, "none").await;
                let live = live.unwrap().unwrap_or_default();
                if live["status"]["hard"].is_object() {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, counted)
            .await
            .expect("the quota counts");
    }

    /// Removes a recovery point's snapshots behind our back.
    async fn remove_behind_our_back(&self, point: Uuid) {
        for content in self.contents(point).await {
            let cluster = &self.stage.cluster;
            snapshots::remove_content(cluster, &content).await.unwrap();
            let kind = snapshots::contents();
            objects::wait_gone(cluster, &kind, None, &content.name, PATIENCE)
                .await
                .unwrap();
        }
    }

    async fn until(&self, claim: &str, is: impl Fn(&Value) -> bool) {
        let waiting = async {
            let namespace = Some(self.namespace.as_str());
            loop {
                let live = objects::get(&self.stage.cluster, &claims(), namespace, claim).await;
                if live.unwrap().is_some_and(|live| is(&live)) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(claim);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_does_not_do_its_part_costs_the_data_and_not_the_job() {
    let Some(mut stage) = Stage::new("snapshots-faulty").await else {
        return;
    };
    stage.waits.cut = Duration::from_secs(5);
    stage.waits.ready = Duration::from_secs(1);
    stage.waits.trouble = Duration::from_secs(2);
    stage.waits.gone = Duration::from_secs(5);
    let Some(shop) = Shop::open(&stage, "faulty", 2).await else {
        return;
    };
    let cluster = &stage.cluster;
    for (what, parameters, code, words) in [
        (
            "it never finishes",
            json!({"never": "true"}),
            "VolumeSnapshotNotReady",
            "had not finished the snapshot after",
        ),
        (
            "it is slow to cut",
            json!({"cutMillis": "10000"}),
            "VolumeSnapshotNotReady",
            "had not made the snapshot after",
        ),
        (
            "its storage is full",
            json!({"failWith": "ResourceExhausted"}),
            "VolumeSnapshotFailed",
            "the storage takes no more snapshots",
        ),
    ] {
        let faults = Faults::of_driver(cluster, &parameters).await;
        let point = shop.is_told_as(what, code, words).await;
        // What a driver may be making still goes once it has made it, or says for good that it will not.
        let mended = Faults::of_driver(cluster, &json!({})).await;
        shop.is_swept(what, point).await;
        drop((faults, mended));
    }
    let without = Faults::no_class(cluster).await;
    let none = "it has no class";
    let words = "has no VolumeSnapshotClass";
    let point = shop
        .is_told_as(none, "VolumeSnapshotClassMissing", words)
        .await;
    shop.is_swept(none, point).await;
    drop(without);
    shop.refuse_snapshots().await;
    let quota = "the namespace has a quota";
    let point = shop
        .is_told_as(quota, "QuotaExceeded", "exceeded quota")
        .await;
    shop.is_swept(quota, point).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_deleted_while_it_is_snapshotted_keeps_its_data_and_one_without_a_volume_has_none()
 {
    let Some(stage) = Stage::new("snapshots-gone").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "gone", 2).await else {
        return;
    };
    shop.lose_volume("data-1").await;
    shop.static_claim(
        "foreign",
        json!({"csi": {"driver": "other.example.com", "volumeHandle": "v"}}),
    )
    .await;
    let _faults = Faults::of_driver(&stage.cluster, &json!({"cutMillis": "2000"})).await;
    let backup = shop.backup();
    let process = stage.start(CrashPoints::none());
    let deleting = async {
        // With the content the snapshot controller has taken hold of the claim; before, the claim would go.
        while shop.all().await.1.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        let (namespace, how) = (
            Some(shop.namespace.as_str()),
            objects::Propagation::Background,
        );
        objects::delete(&stage.cluster, &claims(), namespace, "data-0", None, how)
            .await
            .unwrap();
    };
    let (status, ()) = tokio::join!(stage.back_up_with(&backup), deleting);
    let told = shop.told(&backup, &status).await;
    let codes: Vec<(&str, &str)> = told
        .iter()
        .map(|(name, code, _)| (name.as_str(), code.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("data-0", ""),
            ("data-1", "UserErrorPVCHasNoVolume"),
            ("foreign", "VolumeSnapshotClassMissing")
        ],
        "{told:#?}"
    );
    assert_eq!(
        (status.state, status.volumes),
        (JobState::CompletedWithWarnings, 1),
        "{status:#?}"
    );
    objects::wait_gone(
        &stage.cluster,
        &claims(),
        Some(&shop.namespace),
        "data-0",
        PATIENCE,
    )
    .await
    .unwrap();
    drop(process);
    shop.reconcile().await;
    assert_eq!(shop.contents(backup.recovery_point_id).await.len(), 1);
    shop.remove_behind_our_back(backup.recovery_point_id).await;
    let missing = Reconciled {
        missing: 1,
        ..Reconciled::default()
    };
    assert_eq!(shop.reconcile().await, missing);
    stage.forget(&backup).await;
    shop.close().await;
    shop.remove_static().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_volumes_of_the_included_types_are_snapshotted() {
    let Some(stage) = Stage::new("snapshots-types").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "types", 1).await else {
        return;
    };
    for (types, volumes, code) in [
        (vec!["loop.csi.local"], 1, ""),
        (vec!["AzureFileShareSMB"], 0, "VolumeDataNotProtected"),
        (vec!["AzureDisk", "loop.csi.local"], 1, ""),
    ] {
        let mut backup = shop.backup();
        backup.selection.included_volume_types =
            types.iter().map(|one| (*one).to_owned()).collect();
        let status = stage.run_backup(&backup, CrashPoints::none()).await;
        let told = shop.told(&backup, &status).await;
        assert_eq!(status.volumes, volumes, "{types:?}: {told:#?}");
        assert_eq!(told[0].1, code, "{types:?}: {told:#?}");
        stage.forget(&backup).await;
    }
    shop.close().await;
}
