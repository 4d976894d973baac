//! Volume snapshots by a real driver: what a backup takes stands by itself, nothing is left behind whatever
//! dies, and what is forgotten is gone from the driver's own storage.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::{Reconciled, reconcile};
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd::{BackupSpec, JobState, JobStatus};
use strongroom_kubernetes::jobs;
use strongroom_kubernetes::snapshots::{self, ContentState, SnapshotState};
use uuid::Uuid;

use super::killed_at;
use super::stage::{PATIENCE, Stage, core};

/// The class of the test cluster's driver that binds claims at once.
const CLASS: &str = "csi-loop-immediate";
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// A namespace with claims whose volumes are bound.
struct Shop<'a> {
    stage: &'a Stage,
    namespace: String,
}

impl<'a> Shop<'a> {
    /// None when the cluster has no driver with snapshots.
    async fn open(stage: &'a Stage, name: &str, claims: usize) -> Option<Self> {
        let classes = ResourceType::new(
            "storage.k8s.io",
            "v1",
            "StorageClass",
            "storageclasses",
            false,
        );
        let class = objects::get(&stage.cluster, &classes, None, CLASS).await;
        if class.unwrap().is_none() {
            println!("left out: the cluster has no StorageClass {CLASS}");
            return None;
        }
        let shop = Self {
            stage,
            namespace: format!("strongroom-volumes-{name}"),
        };
        shop.close().await;
        shop.sweep().await;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": shop.namespace}});
        let kind = core("Namespace", "namespaces", false);
        objects::create(&stage.cluster, &kind, &namespace)
            .await
            .unwrap();
        for n in 0..claims {
            shop.claim(&format!("data-{n}"), CLASS).await;
        }
        for n in 0..claims {
            shop.until_bound(&format!("data-{n}")).await;
        }
        Some(shop)
    }

    /// Removes what an earlier run that failed has left.
    async fn sweep(&self) {
        for content in self.all().await.1 {
            let cluster = &self.stage.cluster;
            snapshots::remove_content(cluster, &content).await.unwrap();
            let kind = snapshots::contents();
            objects::wait_gone(cluster, &kind, None, &content.name, PATIENCE)
                .await
                .unwrap();
        }
    }

    async fn claim(&self, name: &str, class: &str) {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "resources": {"requests": {"storage": "16Mi"}}}});
        objects::create(&self.stage.cluster, &claims(), &claim)
            .await
            .unwrap();
    }

    async fn until_bound(&self, name: &str) {
        let bound = async {
            let namespace = Some(self.namespace.as_str());
            loop {
                let claim = objects::get(&self.stage.cluster, &claims(), namespace, name).await;
                if claim
                    .unwrap()
                    .is_some_and(|claim| claim["status"]["phase"] == "Bound")
                {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, bound)
            .await
            .expect("the claim is bound");
    }

    /// Deletes the namespace with all claims, and waits until it is gone.
    async fn close(&self) {
        let (cluster, kind) = (&self.stage.cluster, core("Namespace", "namespaces", false));
        let how = Propagation::Background;
        objects::delete(cluster, &kind, None, &self.namespace, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &kind, None, &self.namespace, PATIENCE)
            .await
            .unwrap();
    }

    fn backup(&self) -> BackupSpec {
        let mut spec = self.stage.backup_of(&[&self.namespace]);
        spec.selection.snapshot_volumes = true;
        spec
    }

    /// The contents of a recovery point.
    async fn contents(&self, point: Uuid) -> Vec<ContentState> {
        let wanted = move |content: &ContentState| content.recovery_point == Some(point);
        snapshots::list_contents(&self.stage.cluster, wanted)
            .await
            .unwrap()
    }

    /// All VolumeSnapshots and contents of this stage's extension.
    async fn all(&self) -> (Vec<SnapshotState>, Vec<ContentState>) {
        let extension = self.stage.namespace.clone();
        let asked = snapshots::list_snapshots(&self.stage.cluster, &extension, None).await;
        let namespace = self.namespace.clone();
        let ours = move |content: &ContentState| {
            content.made_for.0 == namespace
                && content
                    .extension
                    .as_deref()
                    .is_none_or(|one| one == extension)
        };
        let contents = snapshots::list_contents(&self.stage.cluster, ours).await;
        (asked.unwrap(), contents.unwrap())
    }

    /// The ledger of a recovery point.
    async fn ledger(&self, point: Uuid) -> Option<Value> {
        let name = format!("recovery-point-{point}");
        let (kind, namespace) = (core("ConfigMap", "configmaps", true), &self.stage.namespace);
        let found = objects::get(&self.stage.cluster, &kind, Some(namespace), &name).await;
        let text = found.unwrap()?["data"]["ledger.json"].as_str()?.to_owned();
        Some(serde_json::from_str(&text).unwrap())
    }

    async fn reconcile(&self) -> Reconciled {
        reconcile(&self.stage.environment(CrashPoints::none()))
            .await
            .unwrap()
    }

    async fn claim_lines(&self, backup: &BackupSpec, status: &JobStatus) -> Vec<ObjectOutcome> {
        let lines = self.stage.report(backup.job_id, status).await;
        let claims = lines
            .into_iter()
            .filter(|line| line.object.kind == "PersistentVolumeClaim");
        claims.collect()
    }
}

fn claims() -> ResourceType {
    core("PersistentVolumeClaim", "persistentvolumeclaims", true)
}

/// Where the test cluster's driver keeps its files, when this machine has them.
fn driver_files() -> Option<BTreeSet<String>> {
    let kubeconfig = PathBuf::from(std::env::var_os("STRONGROOM_TEST_KUBECONFIG")?);
    let mut names = BTreeSet::new();
    let mut folders = vec![kubeconfig.parent()?.join("volumes")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            names.insert(entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().ok()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Some(names)
}

fn is_on_disk(handle: &str) -> Option<bool> {
    Some(driver_files()?.iter().any(|name| name.contains(handle)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_snapshot_outlives_its_namespace_and_is_gone_when_it_is_forgotten() {
    let Some(stage) = Stage::new("snapshots").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "outlive", 8).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let lines = shop.claim_lines(&backup, &status).await;
    assert_eq!(status.state, JobState::Completed, "{lines:#?}");
    assert_eq!(status.volumes, 8);
    assert!(status.snapshot_window_millis.is_some());
    assert!(lines.iter().all(|line| line.outcome == Outcome::BackedUp));
    assert!(
        lines
            .iter()
            .all(|line| line.reason.contains("a volume snapshot of")),
        "{lines:#?}"
    );
    let contents = shop.contents(backup.recovery_point_id).await;
    assert_eq!(contents.len(), 8);
    assert!(
        contents
            .iter()
            .all(|content| content.retained && content.ready)
    );
    shop.reconcile().await;
    let (asked, _) = shop.all().await;
    assert_eq!(asked, [], "nothing of ours stays in the namespace");
    assert_eq!(
        shop.ledger(backup.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );

    shop.close().await;
    assert_eq!(shop.reconcile().await, Reconciled::default());
    let after = shop.contents(backup.recovery_point_id).await;
    assert_eq!(after.len(), 8);
    let handles: Vec<String> = after
        .into_iter()
        .filter_map(|content| content.handle)
        .collect();
    assert_eq!(handles.len(), 8);
    for handle in &handles {
        assert_ne!(is_on_disk(handle), Some(false), "{handle}");
    }

    let forgotten = stage.forget(&backup).await;
    assert_eq!(forgotten.state, JobState::Completed, "{forgotten:#?}");
    assert_eq!(forgotten.volumes, 8);
    assert_eq!(shop.contents(backup.recovery_point_id).await, []);
    assert_eq!(shop.ledger(backup.recovery_point_id).await, None);
    for handle in &handles {
        assert_ne!(is_on_disk(handle), Some(true), "{handle}");
    }
    let again = stage.forget(&backup).await;
    assert_eq!((again.state, again.volumes), (JobState::Completed, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_anywhere_has_each_snapshot_once() {
    let Some(stage) = Stage::new("snapshots-killed").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "killed", 3).await else {
        return;
    };
    for place in [
        "collect:after",
        "snapshot:before",
        "snapshot:during",
        "snapshot:after",
        "report:after",
        "seal:before",
        "seal:after",
    ] {
        let backup = shop.backup();
        let status = stage.run_backup(&backup, killed_at(place)).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        assert_eq!((status.attempt, status.volumes), (2, 3), "{place}");
        assert_eq!(
            shop.contents(backup.recovery_point_id).await.len(),
            3,
            "{place}"
        );
        shop.reconcile().await;
        let ledger = shop.ledger(backup.recovery_point_id).await.unwrap();
        assert_eq!(ledger["state"], "Kept", "{place}");
        assert_eq!(ledger["entries"].as_array().unwrap().len(), 3, "{place}");
        assert_eq!(
            stage.forget(&backup).await.state,
            JobState::Completed,
            "{place}"
        );
        assert_eq!(shop.all().await, (vec![], vec![]), "{place}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cancelled_with_its_extension_leaves_nothing() {
    let Some(stage) = Stage::new("snapshots-cancelled").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "cancelled", 2).await else {
        return;
    };
    for place in ["snapshot:during", "snapshot:after"] {
        let backup = shop.backup();
        stage.die_in_backup(&backup, killed_at(place)).await;
        jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
            .await
            .unwrap();
        assert!(
            shop.ledger(backup.recovery_point_id).await.is_some(),
            "{place}"
        );
        let done = shop.reconcile().await;
        assert_eq!((done.removed, done.left), (2, 0), "{place}");
        assert_eq!(shop.all().await, (vec![], vec![]), "{place}");
        assert_eq!(shop.ledger(backup.recovery_point_id).await, None, "{place}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_may_exist_keeps_its_snapshots_until_its_store_was_asked() {
    let Some(stage) = Stage::new("snapshots-doubt").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "doubt", 1).await else {
        return;
    };
    // Died between the ledger's last word and the seal, or just behind the seal; the jobs never come back.
    let mut doubtful = Vec::new();
    for place in ["seal:during", "seal:after"] {
        let backup = shop.backup();
        stage.die_in_backup(&backup, killed_at(place)).await;
        jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
            .await
            .unwrap();
        let done = shop.reconcile().await;
        if place == "seal:during" {
            assert_eq!(done, Reconciled::default());
            assert_eq!(
                shop.contents(backup.recovery_point_id).await.len(),
                1,
                "in doubt it stays"
            );
        } else {
            // The second backup asked the store for the first one's point.
            assert_eq!(done.removed, 1);
        }
        doubtful.push(backup);
    }
    let [lost, sealed] = doubtful.as_slice() else {
        panic!("two of them")
    };
    assert_eq!(shop.contents(lost.recovery_point_id).await, []);
    shop.lose_last_word_of(sealed).await;
    assert_eq!(shop.reconcile().await, Reconciled::default());

    let next = shop.backup();
    let status = stage.run_backup(&next, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    shop.reconcile().await;
    assert_eq!(shop.contents(sealed.recovery_point_id).await.len(), 1);
    assert_eq!(
        shop.ledger(sealed.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );
    for backup in [sealed, &next] {
        stage.forget(backup).await;
    }
    assert_eq!(shop.all().await, (vec![], vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_whose_ledgers_were_lost_with_the_extension_are_not_taken_for_nobodys() {
    let Some(stage) = Stage::new("snapshots-lost").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "lost", 1).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    let (kind, how) = (
        core("ConfigMap", "configmaps", true),
        Propagation::Background,
    );
    let name = format!("recovery-point-{}", backup.recovery_point_id);
    let namespace = Some(stage.namespace.as_str());
    objects::delete(&stage.cluster, &kind, namespace, &name, None, how)
        .await
        .unwrap();
    assert_eq!(shop.reconcile().await, Reconciled::default());
    assert_eq!(shop.contents(backup.recovery_point_id).await.len(), 1);
    shop.reconcile().await;
    assert_eq!(
        shop.ledger(backup.recovery_point_id).await.unwrap()["state"],
        "Kept"
    );
    assert_eq!(stage.forget(&backup).await.volumes, 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_data_cannot_be_snapshotted_is_named_and_the_others_are() {
    let Some(stage) = Stage::new("snapshots-odd").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "odd", 1).await else {
        return;
    };
    // This class waits for a pod, which never comes.
    shop.claim("waits", "csi-loop").await;
    shop.static_claim("static").await;
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = shop.claim_lines(&backup, &status).await;
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            (
                line.object.name.as_str(),
                line.code.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("data-0", ""),
            ("static", "VolumeDataNotProtected"),
            ("waits", "UserErrorPVCNotBoundToVolume")
        ],
        "{lines:#?}"
    );
    assert_eq!(status.volumes, 1);
    stage.forget(&backup).await;
    shop.close().await;
    shop.remove_static().await;
}

impl Shop<'_> {
    fn static_name(&self) -> String {
        format!("{}-static", self.namespace)
    }

    /// A claim on a volume of no driver.
    async fn static_claim(&self, name: &str) {
        self.remove_static().await;
        let volumes = core("PersistentVolume", "persistentvolumes", false);
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": self.static_name()},
            "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/tmp"}, "storageClassName": "by-hand",
                "claimRef": {"namespace": self.namespace, "name": name}}});
        objects::create(&self.stage.cluster, &volumes, &volume)
            .await
            .unwrap();
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
                "volumeName": self.static_name(),
                "resources": {"requests": {"storage": "1Mi"}}}});
        objects::create(&self.stage.cluster, &claims(), &claim)
            .await
            .unwrap();
        self.until_bound(name).await;
    }

    async fn remove_static(&self) {
        let volumes = core("PersistentVolume", "persistentvolumes", false);
        let (cluster, how) = (&self.stage.cluster, Propagation::Background);
        let name = self.static_name();
        objects::delete(cluster, &volumes, None, &name, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &volumes, None, &name, PATIENCE)
            .await
            .unwrap();
    }

    /// Takes back the ledger's word that a recovery point exists, as if the process had died before it.
    async fn lose_last_word_of(&self, backup: &BackupSpec) {
        let mut ledger = self.ledger(backup.recovery_point_id).await.unwrap();
        ledger["state"] = json!("Sealing");
        let (kind, namespace) = (core("ConfigMap", "configmaps", true), &self.stage.namespace);
        let name = format!("recovery-point-{}", backup.recovery_point_id);
        let changes = json!({"data": {"ledger.json": ledger.to_string()}});
        let cluster = &self.stage.cluster;
        objects::patch_merge(cluster, &kind, Some(namespace), &name, &changes)
            .await
            .unwrap();
    }
}
