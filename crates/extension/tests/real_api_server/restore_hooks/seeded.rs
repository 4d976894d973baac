//! An application whose pods keep a log of what hooks did in them, lost and restored.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::hooks::PodFacts;
use strongroom_core::selection::HookReference;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::{self, BackupSpec, JobState, RestoreSpec};
use strongroom_kubernetes::exec::{self, Exec};

use super::super::stage::{PATIENCE, Stage, core};

/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The label that a Deployment gives to its pods.
const HASH: &str = "pod-template-hash";

/// A command of a hook that writes a line into the pod's log, and prints.
pub(super) fn run(line: &str) -> Value {
    let script = format!("echo {line} >> /tmp/log; echo did {line}");
    json!({"exec": {"command": ["sh", "-c", script]}})
}

/// A hook for pods of an application.
pub(super) fn hook(name: &str, app: &str, post: &[Value]) -> Value {
    json!({"name": name, "labelSelector": {"matchLabels": {"app": app}}, "postHooks": post})
}

fn namespaces() -> ResourceType {
    core("Namespace", "namespaces", false)
}

fn pods() -> ResourceType {
    core("Pod", "pods", true)
}

fn deployments() -> ResourceType {
    ResourceType::new("apps", "v1", "Deployment", "deployments", true)
}

fn containers(image: &str) -> Value {
    json!([{"name": "main", "image": image, "imagePullPolicy": "Never",
        "command": ["sleep", "100000"]}])
}

pub(super) struct Application {
    pub(super) stage: Stage,
    pub(super) namespace: String,
    backup: BackupSpec,
    /// What the Deployment calls the state of its template.
    hash: String,
    /// Namespaces into which it was restored.
    copies: Vec<String>,
}

impl Application {
    /// A Deployment `db` of two pods and one, `lame`, whose image is nowhere; backed up. None when the
    /// cluster has no node.
    pub(super) async fn deploy(name: &str) -> Option<Self> {
        let mut stage = Stage::new(name).await?;
        stage.grace = Duration::from_secs(60);
        let namespace = format!("app-{}", stage.namespace());
        let nodes = core("Node", "nodes", false);
        let collector = Collector::with_defaults(stage.cluster.clone());
        let mut pages = Box::pin(collector.pages(&nodes, None, None, None));
        let has_node = matches!(pages.next().await, Some(Ok(page)) if !page.items.is_empty());
        drop(pages);
        if !has_node {
            println!("left out: the cluster has no node");
            return None;
        }
        let backup = stage.backup_of(&[&namespace]);
        let mut this = Self {
            stage,
            namespace,
            backup,
            hash: String::new(),
            copies: Vec::new(),
        };
        this.lose().await;
        this.create_namespace().await;
        for (name, replicas, image) in [
            ("db", 2, "localhost/busybox:1"),
            ("lame", 1, "localhost/no-such-image:1"),
        ] {
            let labels = json!({"app": name});
            let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": this.namespace},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels},
                        "spec": {"terminationGracePeriodSeconds": 0,
                            "containers": containers(image)}}}});
            this.create(&deployments(), &object).await;
        }
        let namespace = this.namespace.clone();
        this.wait("both pods run", async || {
            let pods = this.pods(&namespace, "db").await;
            pods.iter().filter(|pod| pod.phase == "Running").count() == 2
        })
        .await;
        let one = this.pods(&namespace, "db").await.remove(0);
        this.hash.clone_from(&one.labels[HASH]);
        let backup = this.backup.clone();
        let status = this.stage.run_backup(&backup, CrashPoints::none()).await;
        assert_eq!(status.state, JobState::Completed, "{status:#?}");
        Some(this)
    }

    async fn create(&self, kind: &ResourceType, object: &Value) {
        let made = objects::create(&self.stage.cluster, kind, object).await;
        made.unwrap();
    }

    pub(super) async fn create_namespace(&self) {
        let place = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.namespace}});
        self.create(&namespaces(), &place).await;
    }

    /// A pod that no restore makes, running. One that the restored Deployment will take for its own bears
    /// the label that its pods have.
    pub(super) async fn create_stranger(&self, name: &str, to_be_adopted: bool) {
        let mut labels = json!({"app": "db"});
        if to_be_adopted {
            labels[HASH] = json!(self.hash);
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0,
                "containers": containers("localhost/busybox:1")}});
        self.create(&pods(), &pod).await;
        self.wait("the stranger runs", async || {
            let pod = exec::pod(&self.stage.cluster, &self.namespace, name).await;
            pod.unwrap().is_some_and(|pod| pod.phase == "Running")
        })
        .await;
    }

    /// Makes a RestoreHook in the extension's namespace.
    pub(super) async fn apply(&self, name: &str, spec: &Value) {
        let kind = crd::resource_type("RestoreHook", "restorehooks");
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": name, "namespace": self.stage.namespace()}, "spec": spec});
        self.create(&kind, &object).await;
    }

    /// A restore of the application with hooks.
    pub(super) fn restore_with(&self, hooks: &[&str]) -> RestoreSpec {
        let mut restore = self.stage.restore_of(&self.backup);
        let references = hooks.iter().map(|name| HookReference {
            name: (*name).to_owned(),
            namespace: self.stage.namespace().to_owned(),
        });
        restore.criteria.hooks = references.collect();
        restore
    }

    /// The same into a namespace of its own.
    pub(super) async fn restore_as(&mut self, copy: &str, hooks: &[&str]) -> (RestoreSpec, String) {
        let copy = format!("{}-{copy}", self.namespace);
        // An earlier run had no end.
        self.lose_namespace(&copy).await;
        let mut restore = self.restore_with(hooks);
        restore.criteria.namespace_mappings = [(self.namespace.clone(), copy.clone())].into();
        self.copies.push(copy.clone());
        (restore, copy)
    }

    /// The pods of an application that are not being deleted, by name.
    pub(super) async fn pods(&self, namespace: &str, app: &str) -> Vec<PodFacts> {
        let mut all = Vec::new();
        let take = |pod: PodFacts| all.push(pod);
        exec::pods(&self.stage.cluster, Some(namespace), take)
            .await
            .unwrap();
        all.retain(|pod| !pod.ending && pod.labels.get("app").is_some_and(|one| one == app));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What hooks did in a pod.
    pub(super) async fn log(&self, pod: &PodFacts) -> Vec<String> {
        let command = ["sh", "-c", "cat /tmp/log 2>/dev/null || true"].map(str::to_owned);
        let exec = Exec {
            namespace: &pod.namespace,
            pod: &pod.name,
            container: "main",
            command: &command,
            timeout: PATIENCE,
        };
        let printed = exec::exec(&self.stage.cluster, &exec).await.unwrap();
        printed.stdout.text().lines().map(str::to_owned).collect()
    }

    /// What hooks did in the pods `db` of a namespace, pod after pod.
    pub(super) async fn logs(&self, namespace: &str) -> Vec<Vec<String>> {
        let mut logs = Vec::new();
        for pod in self.pods(namespace, "db").await {
            logs.push(self.log(&pod).await);
        }
        logs
    }

    /// That nothing is journalled any more once the job's custom resource is gone.
    pub(super) async fn nothing_is_left_of(&self, restore: &RestoreSpec) {
        let (cluster, namespace) = (&self.stage.cluster, self.stage.namespace());
        let name = format!("hooks-of-{}", restore.job_id);
        let maps = core("ConfigMap", "configmaps", true);
        let journal = async || {
            let found = objects::get(cluster, &maps, Some(namespace), &name).await;
            found.unwrap()
        };
        assert!(journal().await.is_some(), "a later attempt would find it");
        let gone = strongroom_kubernetes::jobs::delete_restore(cluster, namespace, restore.job_id);
        gone.await.unwrap();
        self.wait("the journal goes with the job", async || {
            journal().await.is_none()
        })
        .await;
    }

    async fn wait(&self, what: &str, mut reached: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !reached().await {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(what);
    }

    /// Deletes the application and waits until it is gone.
    pub(super) async fn lose(&self) {
        self.lose_namespace(&self.namespace).await;
    }

    async fn lose_namespace(&self, name: &str) {
        let cluster = &self.stage.cluster;
        self.remove(name).await;
        objects::wait_gone(cluster, &namespaces(), None, name, PATIENCE)
            .await
            .unwrap();
    }

    /// Deletes it and its copies; nobody waits for their end.
    pub(super) async fn end(self) {
        for name in self.copies.iter().chain([&self.namespace]) {
            self.remove(name).await;
        }
    }

    async fn remove(&self, name: &str) {
        let (cluster, how) = (&self.stage.cluster, Propagation::Background);
        objects::delete(cluster, &namespaces(), None, name, None, how)
            .await
            .unwrap();
    }
}
