//! A namespace with claims whose volumes are bound, and what is asked of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::ObjectOutcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::{Reconciled, reconcile};
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd::{BackupSpec, JobStatus};
use strongroom_kubernetes::snapshots::{self, ContentState, SnapshotState};
use uuid::Uuid;

use super::super::stage::{PATIENCE, Stage, core};

/// The class of the test cluster's driver that binds claims at once.
const CLASS: &str = "csi-loop-immediate";
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// A namespace with claims whose volumes are bound.
pub(super) struct Shop<'a> {
    pub(super) stage: &'a Stage,
    pub(super) namespace: String,
}

impl<'a> Shop<'a> {
    /// None when the cluster has no driver with snapshots.
    pub(super) async fn open(stage: &'a Stage, name: &str, claims: usize) -> Option<Self> {
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
    pub(super) async fn sweep(&self) {
        for content in self.all().await.1 {
            let cluster = &self.stage.cluster;
            snapshots::remove_content(cluster, &content).await.unwrap();
            let kind = snapshots::contents();
            objects::wait_gone(cluster, &kind, None, &content.name, PATIENCE)
                .await
                .unwrap();
        }
    }

    pub(super) async fn claim(&self, name: &str, class: &str) {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "resources": {"requests": {"storage": "16Mi"}}}});
        objects::create(&self.stage.cluster, &claims(), &claim)
            .await
            .unwrap();
    }

    pub(super) async fn until_bound(&self, name: &str) {
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
    pub(super) async fn close(&self) {
        let (cluster, kind) = (&self.stage.cluster, core("Namespace", "namespaces", false));
        let how = Propagation::Background;
        objects::delete(cluster, &kind, None, &self.namespace, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &kind, None, &self.namespace, PATIENCE)
            .await
            .unwrap();
    }

    pub(super) fn backup(&self) -> BackupSpec {
        let mut spec = self.stage.backup_of(&[&self.namespace]);
        spec.selection.snapshot_volumes = true;
        spec
    }

    /// The contents of a recovery point.
    pub(super) async fn contents(&self, point: Uuid) -> Vec<ContentState> {
        let wanted = move |content: &ContentState| content.recovery_point == Some(point);
        snapshots::list_contents(&self.stage.cluster, wanted)
            .await
            .unwrap()
    }

    /// All VolumeSnapshots and contents of this stage's extension.
    pub(super) async fn all(&self) -> (Vec<SnapshotState>, Vec<ContentState>) {
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
    pub(super) async fn ledger(&self, point: Uuid) -> Option<Value> {
        let name = format!("recovery-point-{point}");
        let (kind, namespace) = (core("ConfigMap", "configmaps", true), &self.stage.namespace);
        let found = objects::get(&self.stage.cluster, &kind, Some(namespace), &name).await;
        let text = found.unwrap()?["data"]["ledger.json"].as_str()?.to_owned();
        Some(serde_json::from_str(&text).unwrap())
    }

    pub(super) async fn reconcile(&self) -> Reconciled {
        reconcile(&self.stage.environment(CrashPoints::none()))
            .await
            .unwrap()
    }

    pub(super) async fn claim_lines(
        &self,
        backup: &BackupSpec,
        status: &JobStatus,
    ) -> Vec<ObjectOutcome> {
        let lines = self.stage.report(backup.job_id, status).await;
        let claims = lines
            .into_iter()
            .filter(|line| line.object.kind == "PersistentVolumeClaim");
        claims.collect()
    }
}

pub(super) fn claims() -> ResourceType {
    core("PersistentVolumeClaim", "persistentvolumeclaims", true)
}

/// Where the test cluster's driver keeps its files, when this machine has them.
pub(super) fn driver_files() -> Option<BTreeSet<String>> {
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

/// The text of a file that the driver keeps, when this machine has it.
pub(super) fn driver_file(name: &str) -> Option<String> {
    let kubeconfig = PathBuf::from(std::env::var_os("STRONGROOM_TEST_KUBECONFIG")?);
    std::fs::read_to_string(kubeconfig.parent()?.join("volumes").join(name)).ok()
}

pub(super) fn is_on_disk(handle: &str) -> Option<bool> {
    Some(driver_files()?.iter().any(|name| name.contains(handle)))
}

impl Shop<'_> {
    pub(super) fn static_name(&self) -> String {
        format!("{}-static", self.namespace)
    }

    /// A claim on a volume that was made by hand, as this part of its spec says.
    pub(super) async fn static_claim(&self, name: &str, source: Value) {
        self.remove_static().await;
        let volumes = core("PersistentVolume", "persistentvolumes", false);
        let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": self.static_name()},
            "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"],
                "storageClassName": "by-hand",
                "claimRef": {"namespace": self.namespace, "name": name}}});
        let fields = source.as_object().unwrap().clone();
        volume["spec"].as_object_mut().unwrap().extend(fields);
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

    pub(super) async fn remove_static(&self) {
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

    /// Removes the ledger of a recovery point.
    pub(super) async fn lose_ledger_of(&self, backup: &BackupSpec) {
        let (kind, namespace) = (core("ConfigMap", "configmaps", true), &self.stage.namespace);
        let name = format!("recovery-point-{}", backup.recovery_point_id);
        let (cluster, how) = (&self.stage.cluster, Propagation::Background);
        objects::delete(cluster, &kind, Some(namespace), &name, None, how)
            .await
            .unwrap();
    }

    /// Takes back the ledger's word that a recovery point exists, as if the process had died before it.
    pub(super) async fn lose_last_word_of(&self, backup: &BackupSpec) {
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
