//! An application that keeps a file on a volume, and what is asked of it.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::ObjectOutcome;
use strongroom_core::restore::volumes::ClaimChoice;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::{BackupSpec, JobState, JobStatus, RestoreSpec};
use strongroom_kubernetes::exec::{self, Exec};
use strongroom_kubernetes::snapshots::provision;

use super::super::stage::{PATIENCE, Stage, core};

pub(super) const DRIVER: &str = "loop.csi.local";
/// The claim of the database's only pod.
pub(super) const CLAIM: &str = "data-db-0";
/// A claim that no pod uses, of a class that makes volumes at once.
pub(super) const SPARE: &str = "spare";
const POD: &str = "db-0";
/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Database {
    pub(super) namespace: String,
}

pub(super) fn claims() -> ResourceType {
    core("PersistentVolumeClaim", "persistentvolumeclaims", true)
}

/// PersistentVolumes and StorageClasses.
pub(super) fn volumes() -> (ResourceType, ResourceType) {
    let class = ResourceType::new(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        "storageclasses",
        false,
    );
    (core("PersistentVolume", "persistentvolumes", false), class)
}

fn namespaces() -> ResourceType {
    core("Namespace", "namespaces", false)
}

fn stateful_sets() -> ResourceType {
    ResourceType::new("apps", "v1", "StatefulSet", "statefulsets", true)
}

pub(super) async fn has_driver(stage: &Stage) -> bool {
    let drivers = ResourceType::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers", false);
    objects::get(&stage.cluster, &drivers, None, DRIVER)
        .await
        .unwrap()
        .is_some()
}

/// What restores of this stage have left for claims.
pub(super) async fn leftovers(stage: &Stage) -> Vec<String> {
    let selector = provision::selector(stage.namespace());
    let kind = provision::contents();
    let collector = Collector::with_defaults(stage.cluster.clone());
    let pages = collector.pages(&kind, None, None, Some(&selector));
    let mut pages = std::pin::pin!(pages);
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let items = page.unwrap().items.into_iter();
        names.extend(items.map(|item| item.facts.object.name));
    }
    names
}

/// That nothing that restores made for claims stays, once a process has looked after it.
pub(super) async fn nothing_is_left(stage: &Stage) {
    let _process = stage.start(CrashPoints::none());
    let gone = async {
        while !leftovers(stage).await.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(PATIENCE, gone).await.is_err() {
        panic!("left: {:?}", leftovers(stage).await);
    }
}

/// The restore of everything into a copy.
pub(super) fn mapped(mut restore: RestoreSpec, copy: &Database) -> RestoreSpec {
    let source = restore
        .criteria
        .selection
        .included_namespaces
        .iter()
        .flatten()
        .next();
    let pair = (source.unwrap().clone(), copy.namespace.clone());
    restore.criteria.namespace_mappings = [pair].into();
    restore
}

pub(super) fn choice(claim: &str) -> ClaimChoice {
    ClaimChoice {
        name: claim.to_owned(),
        ..ClaimChoice::default()
    }
}

/// A class of a driver that is nowhere; its name.
pub(super) async fn class_of_another_driver(stage: &Stage) -> String {
    let name = format!("{}-foreign", stage.namespace());
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": name}, "provisioner": "other.example.com"});
    objects::create(&stage.cluster, &volumes().1, &class)
        .await
        .unwrap();
    name
}

impl Database {
    pub(super) async fn deploy(stage: &Stage, namespace: &str) -> Self {
        let this = Self::at(namespace);
        // A run that failed may have left it.
        this.lose(stage).await;
        this.lose_volumes(stage).await;
        let place =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        objects::create(&stage.cluster, &namespaces(), &place)
            .await
            .unwrap();
        let wants = |class: &str| {
            json!({"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "resources": {"requests": {"storage": "32Mi"}}})
        };
        let spare = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": SPARE, "namespace": namespace},
            "spec": wants("csi-loop-immediate")});
        objects::create(&stage.cluster, &claims(), &spare)
            .await
            .unwrap();
        // It writes its file once, as a database that finds its directory empty.
        let command = "test -f /data/file || head -c 4000000 /dev/urandom > /data/file; sync; \
                       md5sum < /data/file > /tmp/sum; sleep 100000";
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": namespace},
            "spec": {"serviceName": "db", "replicas": 1, "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main",
                        "image": "localhost/busybox:1", "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", command],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": wants("csi-loop")}]}});
        objects::create(&stage.cluster, &stateful_sets(), &set)
            .await
            .unwrap();
        this.volume_of(stage, SPARE).await;
        this
    }

    /// What is, or may be, in this namespace.
    pub(super) fn at(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
        }
    }

    pub(super) fn copy(&self, suffix: &str) -> Self {
        Self {
            namespace: format!("{}-{suffix}", self.namespace),
        }
    }

    /// How the recovery point calls a claim.
    pub(super) fn key(&self, claim: &str) -> String {
        format!("{}/{claim}", self.namespace)
    }

    /// Deletes the namespace and waits until it is gone.
    pub(super) async fn lose(&self, stage: &Stage) {
        let (name, how) = (&self.namespace, Propagation::Background);
        objects::delete(&stage.cluster, &namespaces(), None, name, None, how)
            .await
            .unwrap();
        objects::wait_gone(&stage.cluster, &namespaces(), None, name, PATIENCE)
            .await
            .unwrap();
    }

    /// The checksum of the file, once the pod has it.
    pub(super) async fn sum(&self, stage: &Stage) -> String {
        let command = ["cat", "/tmp/sum"].map(str::to_owned);
        let exec = Exec {
            namespace: &self.namespace,
            pod: POD,
            container: "main",
            command: &command,
            timeout: Duration::from_secs(10),
        };
        let read = async {
            loop {
                let said = exec::exec(&stage.cluster, &exec).await;
                let text = said.map(|said| said.stdout.text()).unwrap_or_default();
                if text.len() > 30 {
                    return text.trim().to_owned();
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(sum) => sum,
            Err(_) => panic!("the pod of {} never had its file", self.namespace),
        }
    }

    /// The volume of a claim, once it has one.
    pub(super) async fn volume_of(&self, stage: &Stage, claim: &str) -> Value {
        let namespace = Some(self.namespace.as_str());
        let bound = async {
            loop {
                let live = objects::get(&stage.cluster, &claims(), namespace, claim)
                    .await
                    .unwrap();
                let live = live.unwrap_or_default();
                if live["status"]["phase"] == "Bound" {
                    return live["spec"]["volumeName"].as_str().unwrap().to_owned();
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let name = tokio::time::timeout(PATIENCE, bound)
            .await
            .expect("the claim is bound");
        objects::get(&stage.cluster, &volumes().0, None, &name)
            .await
            .unwrap()
            .unwrap()
    }

    /// Sets the reclaim policy of a claim's volume to Retain; the volume's name.
    pub(super) async fn retain(&self, stage: &Stage, claim: &str) -> String {
        let volume = self.volume_of(stage, claim).await;
        let name = volume["metadata"]["name"].as_str().unwrap();
        let patch = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        objects::patch_merge(&stage.cluster, &volumes().0, None, name, &patch)
            .await
            .unwrap();
        name.to_owned()
    }

    pub(super) async fn back_up(&self, stage: &Stage) -> BackupSpec {
        let mut backup = stage.backup_of(&[&self.namespace]);
        backup.selection.snapshot_volumes = true;
        let status = stage.run_backup(&backup, CrashPoints::none()).await;
        let lines = stage.report(backup.job_id, &status).await;
        let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
        assert_eq!(status.state, JobState::Completed, "{odd:#?}");
        backup
    }

    pub(super) fn restore(&self, stage: &Stage, backup: &BackupSpec) -> RestoreSpec {
        let mut restore = stage.restore_of(backup);
        restore.criteria.restore_volumes = true;
        restore
    }

    /// The line of a claim in a report.
    pub(super) async fn line(
        &self,
        stage: &Stage,
        restore: &RestoreSpec,
        status: &JobStatus,
        claim: &str,
    ) -> ObjectOutcome {
        let name = format!("PersistentVolumeClaim {}/{claim}", self.namespace);
        let lines = stage.report(restore.job_id, status).await;
        let line = lines
            .into_iter()
            .find(|line| line.object.to_string() == name);
        line.unwrap_or_else(|| panic!("no line of {name}"))
    }

    /// Contents that hold the snapshots of recovery points of this namespace.
    async fn contents(&self, stage: &Stage) -> Vec<Value> {
        let kind = provision::contents();
        let collector = Collector::with_defaults(stage.cluster.clone());
        let pages = collector.pages(&kind, None, None, None);
        let mut pages = std::pin::pin!(pages);
        let mut contents = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.unwrap().items.into_iter();
            contents.extend(items.filter_map(|item| item.raw.json::<Value>().ok()));
        }
        let of_ours = |content: &Value| content.to_string().contains(&self.namespace);
        contents.into_iter().filter(of_ours).collect()
    }

    /// Removes the snapshots of recovery points from the storage, as somebody might who knows no better.
    pub(super) async fn remove_snapshots_behind_our_back(&self, stage: &Stage) {
        let kind = provision::contents();
        let contents = self.contents(stage).await;
        assert!(!contents.is_empty(), "the recovery point has snapshots");
        for content in contents {
            let name = content["metadata"]["name"].as_str().unwrap();
            let annotations =
                json!({"snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": "yes"});
            let patch = json!({"metadata": {"annotations": annotations},
                "spec": {"deletionPolicy": "Delete"}});
            objects::patch_merge(&stage.cluster, &kind, None, name, &patch)
                .await
                .unwrap();
            let how = Propagation::Background;
            objects::delete(&stage.cluster, &kind, None, name, None, how)
                .await
                .unwrap();
            objects::wait_gone(&stage.cluster, &kind, None, name, PATIENCE)
                .await
                .unwrap();
        }
    }

    /// Removes the volumes that outlive their claims.
    async fn lose_volumes(&self, stage: &Stage) {
        let kind = volumes().0;
        let collector = Collector::with_defaults(stage.cluster.clone());
        let pages = collector.pages(&kind, None, None, None);
        let mut pages = std::pin::pin!(pages);
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            for item in page.unwrap().items {
                let volume: Value = item.raw.json().unwrap();
                if volume["spec"]["claimRef"]["namespace"] == self.namespace.as_str() {
                    names.push(item.facts.object.name);
                }
            }
        }
        for name in names {
            let patch = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}});
            // It may be on its way out already.
            let _ = objects::patch_merge(&stage.cluster, &kind, None, &name, &patch).await;
            let how = Propagation::Background;
            objects::delete(&stage.cluster, &kind, None, &name, None, how)
                .await
                .unwrap();
            objects::wait_gone(&stage.cluster, &kind, None, &name, PATIENCE)
                .await
                .unwrap();
        }
    }

    /// Removes what the test leaves in the storage.
    pub(super) async fn forget(&self, stage: &Stage) {
        if !self.contents(stage).await.is_empty() {
            self.remove_snapshots_behind_our_back(stage).await;
        }
        self.lose(stage).await;
        self.lose_volumes(stage).await;
    }
}
