//! An application whose pod keeps a log of what its hooks did to it.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::selection::HookReference;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::{self, BackupSpec, JobStatus};
use strongroom_kubernetes::exec::{self, Exec};
use strongroom_kubernetes::jobs;

use super::super::stage::{PATIENCE, Stage, core};

const DRIVER: &str = "loop.csi.local";
const POD: &str = "db-0";
/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A command of a hook that writes a line into the pod's log, and prints.
pub(super) fn run(line: &str) -> Value {
    let script = format!("echo {line} >> /tmp/log; echo did {line}");
    json!({"exec": {"command": ["sh", "-c", script], "timeout": "5s"}})
}

/// A command that lives for a while in its container, whoever waits for it, and then writes a line.
pub(super) fn run_later(line: &str, seconds: u32, timeout: &str) -> Value {
    let script = format!("sleep {seconds}; echo {line} >> /tmp/log");
    json!({"exec": {"command": ["sh", "-c", script], "timeout": timeout}})
}

/// A hook for the application's pod.
pub(super) fn hook(name: &str, pre: &[Value], post: &[Value]) -> Value {
    json!({"name": name, "labelSelector": {"matchLabels": {"app": "db"}},
        "preHooks": pre, "postHooks": post})
}

pub(super) struct Application {
    pub(super) stage: Stage,
    namespace: String,
}

fn namespaces() -> ResourceType {
    core("Namespace", "namespaces", false)
}

fn pods() -> ResourceType {
    core("Pod", "pods", true)
}

impl Application {
    /// An application with a pod and a claim; none when the cluster has no volumes.
    pub(super) async fn deploy(name: &str) -> Option<Self> {
        let mut stage = Stage::new(name).await?;
        stage.grace = Duration::from_secs(60);
        let drivers = ResourceType::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers", false);
        let driver = objects::get(&stage.cluster, &drivers, None, DRIVER)
            .await
            .unwrap();
        if driver.is_none() {
            println!("left out: the cluster has no CSI driver {DRIVER}");
            return None;
        }
        let namespace = format!("app-{}", stage.namespace());
        let this = Self { stage, namespace };
        this.lose().await;
        let place = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": this.namespace}});
        this.create(&namespaces(), &place).await;
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": this.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "csi-loop-immediate",
                "resources": {"requests": {"storage": "32Mi"}}}});
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims", true);
        this.create(&claims, &claim).await;
        this.create_pod().await;
        Some(this)
    }

    async fn create(&self, kind: &ResourceType, object: &Value) {
        objects::create(&self.stage.cluster, kind, object)
            .await
            .unwrap();
    }

    async fn create_pod(&self) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": POD, "namespace": self.namespace, "labels": {"app": "db"}},
            "spec": {"terminationGracePeriodSeconds": 0,
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                "containers": [{"name": "main", "image": "localhost/busybox:1",
                    "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}});
        self.create(&pods(), &pod).await;
        self.wait("the pod runs", async || {
            let pod = exec::pod(&self.stage.cluster, &self.namespace, POD)
                .await
                .unwrap();
            pod.is_some_and(|pod| pod.phase == "Running")
        })
        .await;
    }

    /// Makes a claim beside the application, and waits for its volume.
    pub(super) async fn claim(&self, name: &str) {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "csi-loop-immediate",
                "resources": {"requests": {"storage": "16Mi"}}}});
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims", true);
        self.create(&claims, &claim).await;
        self.wait("the claim is bound", async || {
            let (cluster, place) = (&self.stage.cluster, Some(self.namespace.as_str()));
            let live = objects::get(cluster, &claims, place, name).await.unwrap();
            live.is_some_and(|live| live["status"]["phase"] == "Bound")
        })
        .await;
    }

    /// Deletes a claim and waits until it is gone.
    pub(super) async fn remove_claim(&self, name: &str) {
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims", true);
        let (cluster, place) = (&self.stage.cluster, Some(self.namespace.as_str()));
        let how = Propagation::Background;
        objects::delete(cluster, &claims, place, name, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &claims, place, name, PATIENCE)
            .await
            .unwrap();
    }

    /// Waits until a hook has written this line.
    pub(super) async fn until_logged(&self, line: &str) {
        self.wait(line, async || {
            self.log().await.iter().any(|said| said == line)
        })
        .await;
    }

    /// Runs a command in the pod.
    pub(super) async fn execute(&self, script: &str) -> String {
        let command = ["sh", "-c", script].map(str::to_owned);
        let exec = Exec {
            namespace: &self.namespace,
            pod: POD,
            container: "main",
            command: &command,
            timeout: PATIENCE,
        };
        exec::exec(&self.stage.cluster, &exec)
            .await
            .unwrap()
            .stdout
            .text()
    }

    /// Another pod of the same name.
    pub(super) async fn replace_pod(&self) {
        let (cluster, place, how) = (
            &self.stage.cluster,
            &self.namespace,
            Propagation::Background,
        );
        objects::delete(cluster, &pods(), Some(place), POD, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &pods(), Some(place), POD, PATIENCE)
            .await
            .unwrap();
        self.create_pod().await;
    }

    /// Makes a BackupHook.
    pub(super) async fn apply(&self, name: &str, spec: &Value) {
        let kind = crd::resource_type("BackupHook", "backuphooks");
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec});
        self.create(&kind, &object).await;
    }

    /// A backup of the application with hooks, which begins with an empty log.
    pub(super) fn backup_with(&self, hooks: &[&str]) -> BackupSpec {
        let mut backup = self.stage.backup_of(&[&self.namespace]);
        backup.selection.snapshot_volumes = true;
        let references = hooks.iter().map(|name| HookReference {
            name: (*name).to_owned(),
            namespace: self.namespace.clone(),
        });
        backup.selection.backup_hook_references = references.collect();
        backup
    }

    pub(super) async fn ask(&self, backup: &BackupSpec) {
        let made = jobs::create_backup(&self.stage.cluster, self.stage.namespace(), backup).await;
        made.unwrap();
    }

    /// Removes a backup's custom resource.
    pub(super) async fn cancel(&self, backup: &BackupSpec) {
        let (cluster, namespace) = (&self.stage.cluster, self.stage.namespace());
        assert!(
            jobs::delete_backup(cluster, namespace, backup.job_id)
                .await
                .unwrap()
        );
    }

    /// Waits for the end of a backup that a process is at.
    pub(super) async fn ended(&self, backup: &BackupSpec) -> JobStatus {
        let (cluster, namespace) = (&self.stage.cluster, self.stage.namespace());
        let status = async || {
            let live = jobs::get_backup(cluster, namespace, backup.job_id)
                .await
                .unwrap();
            live.and_then(|live| live.status).unwrap_or_default()
        };
        self.wait("the job ends", async || status().await.state.is_final())
            .await;
        status().await
    }

    /// The code and the words of what went wrong: in the status of a failed job, in the report of others.
    pub(super) async fn told(&self, backup: &BackupSpec, status: &JobStatus) -> (String, String) {
        if let Some(error) = &status.error {
            return (error.code.clone(), error.message.clone());
        }
        let lines = self.stage.report(backup.job_id, status).await;
        let line = lines.into_iter().find(|line| line.code.is_some()).unwrap();
        (line.code.unwrap(), line.reason)
    }

    async fn read(&self, path: &str) -> String {
        self.execute(&format!("cat {path} 2>/dev/null || true"))
            .await
    }

    /// What hooks did to the pod.
    pub(super) async fn log(&self) -> Vec<String> {
        let text = self.read("/tmp/log").await;
        text.lines().map(str::to_owned).collect()
    }

    /// Names of journals that are left.
    pub(super) async fn journals(&self) -> Vec<String> {
        let maps = core("ConfigMap", "configmaps", true);
        let collector = Collector::with_defaults(self.stage.cluster.clone());
        let pages = collector.pages(&maps, Some(self.stage.namespace()), None, None);
        let mut pages = std::pin::pin!(pages);
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.unwrap().items.into_iter();
            names.extend(items.map(|item| item.facts.object.name));
        }
        names.retain(|name| name.starts_with("frozen-by-"));
        names
    }

    /// That each freeze in the log is followed by a thaw and that nothing is journalled.
    pub(super) async fn is_thawed(&self, when: &str) {
        let log = self.log().await;
        let last = log.iter().rfind(|line| line.contains("one"));
        assert!(
            last.is_none_or(|last| last == "thaw one"),
            "{when}: {log:?}"
        );
        assert!(self.journals().await.is_empty(), "{when}");
    }

    /// The same, waited for.
    pub(super) async fn is_thawed_soon(&self, when: &str) {
        self.wait(when, async || self.journals().await.is_empty())
            .await;
        self.is_thawed(when).await;
    }

    async fn wait(&self, what: &str, mut reached: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !reached().await {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(what);
    }

    /// Deletes the namespace and waits until it is gone.
    pub(super) async fn lose(&self) {
        let (cluster, how) = (&self.stage.cluster, Propagation::Background);
        let name = &self.namespace;
        objects::delete(cluster, &namespaces(), None, name, None, how)
            .await
            .unwrap();
        objects::wait_gone(cluster, &namespaces(), None, name, PATIENCE)
            .await
            .unwrap();
    }
}
