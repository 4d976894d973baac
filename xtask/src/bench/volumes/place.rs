//! Where volumes are measured: a cluster with a node and its CSI driver, a server process, and the
//! extension as a process beside them, which can be killed and started in no time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_e2e::kubectl::Kubectl;
use strongroom_e2e::stage::{Props, Reach, Stage, VAULT};

use super::application::{SHOP, UNFREEZE};
use crate::bench::outside::{self, ACCOUNT, Extension, NAMESPACE};
use crate::bench::raw::Raw;
use crate::cluster::{self, Cluster, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch, say};
use crate::workspace;

/// The cluster of this benchmark.
const NAME: &str = "bench-volumes";
/// The class by which snapshots are taken here.
pub(super) const SNAPSHOT_CLASS: &str = "bench";
/// The label by which a class is chosen for backups (docs/guide/volumes.md).
const CLASS_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/snapshot-class";
/// What the pod in the extension's place does.
const ANSWER_PROBES: &str = "mkdir -p /tmp/www; echo ok > /tmp/www/healthz; echo ok > /tmp/www/readyz; exec httpd -f -p 8081 -h /tmp/www";
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(250);

/// Everything that runs. Dropping it ends all of it but the cluster.
pub(crate) struct Place {
    pub(crate) stage: Stage,
    pub(crate) cluster: Cluster,
    pub(crate) raw: Raw,
    extension: Option<Extension>,
    binary: PathBuf,
    folder: PathBuf,
}

/// Ends the cluster and removes its state.
pub(crate) fn clear() -> Result<()> {
    cluster::down(NAME, true)
}

impl Place {
    /// Starts all of it, with a vault that has access to the cluster.
    pub(crate) fn open(binary: &Path) -> Result<Self> {
        let watch = Stopwatch::start();
        let folder = workspace::root().join(".strongroom/bench-volumes");
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(|| "remove the last benchmark".to_owned())?;
        }
        fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
        clear()?;
        let cluster = cluster::up(&UpOptions {
            name: NAME.to_owned(),
            tier: Some(Tier::Node),
            port: None,
        })?;
        let image = cluster.load_strongroom(binary)?;
        let raw = Raw::connect(&cluster)?;
        let props = Props {
            binary: binary.to_owned(),
            image,
            kubectl: Kubectl {
                program: cluster.kubectl().get_program().into(),
                kubeconfig: cluster.kubeconfig.clone(),
            },
            reach: Reach::Address("127.0.0.1".to_owned()),
        };
        let stage = Stage::open_at(props, &folder).doing(|| "start the server".to_owned())?;
        let connected = stage.create_vault().and_then(|()| stage.connect_cluster());
        connected.doing(|| "connect the cluster".to_owned())?;
        // What is deleted here is gone, with all that it has.
        let final_deletes = ["vault", "create", VAULT, "--soft-delete", "off"];
        let made = stage.cli.run(&final_deletes);
        made.doing(|| "make deletes final".to_owned())?;
        let mut place = Self {
            stage,
            cluster,
            raw,
            extension: None,
            binary: binary.to_owned(),
            folder,
        };
        place.take_the_pods_place()?;
        say(format_args!(
            "{:>8}  the cluster is connected",
            watch.words()
        ));
        Ok(place)
    }

    /// Puts a pod that only answers its probes into the place of the extension's, and goes on as a process:
    /// the server asks the Deployment how the extension does.
    fn take_the_pods_place(&mut self) -> Result<()> {
        let doing = || "take the place of the extension's pod".to_owned();
        let container = "/spec/template/spec/containers/0";
        let change = json!([
            {"op": "replace", "path": format!("{container}/image"), "value": "localhost/busybox:1"},
            {"op": "add", "path": format!("{container}/command"), "value": ["sh", "-c", ANSWER_PROBES]},
            {"op": "remove", "path": format!("{container}/args")},
        ]);
        let (deployment, change) = (format!("deployment/{ACCOUNT}"), change.to_string());
        let words = [
            "-n",
            NAMESPACE,
            "patch",
            &deployment,
            "--type=json",
            "-p",
            &change,
        ];
        let kubectl = &self.stage.kubectl;
        kubectl.run(&words).doing(doing)?;
        kubectl.wait_rolled_out(NAMESPACE).doing(doing)?;
        let alone = talk::poll(PATIENCE, PAUSE, || {
            let pods = kubectl.json(&["-n", NAMESPACE, "get", "pods"]);
            let pods = pods.doing(doing)?;
            let one = pods["items"].as_array().is_some_and(|pods| pods.len() == 1);
            Ok::<_, Failure>(one.then_some(()))
        })?;
        alone.ok_or_else(|| Failure::new(doing(), "it stays"))?;
        outside::write_kubeconfig(&self.raw, &self.kubeconfig())?;
        self.start_extension()
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("extension.kubeconfig")
    }

    /// Kills the extension and starts another.
    pub(super) fn start_extension(&mut self) -> Result<()> {
        self.extension = None;
        let log = self.folder.join("extension.log");
        let command = Command::new(&self.binary);
        let started = Extension::start(&self.raw, command, &self.kubeconfig(), &log)?;
        self.extension = Some(started);
        Ok(())
    }

    /// Lets each snapshot take this long to be cut, and then to be ready.
    pub(super) fn snapshots_take(&self, cut_millis: u32, ready_millis: u32) -> Result<()> {
        let class = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": {"name": SNAPSHOT_CLASS, "labels": {CLASS_LABEL: "true"}},
            "driver": "loop.csi.local", "deletionPolicy": "Delete",
            "parameters": {"cutMillis": cut_millis.to_string(), "readyMillis": ready_millis.to_string()}});
        self.apply("class", &[class])
    }

    /// Makes a namespace with these objects, and waits until its claims are bound and its pods run.
    pub(super) fn deploy(&self, namespace: &str, objects: &[Value]) -> Result<()> {
        let doing = || format!("deploy {namespace}");
        let place =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let mut all = vec![place];
        all.extend(objects.iter().cloned());
        self.apply(namespace, &all)?;
        let kubectl = &self.stage.kubectl;
        let bound = talk::poll(PATIENCE, PAUSE, || {
            let claims = kubectl.json(&["-n", namespace, "get", "persistentvolumeclaims"]);
            let claims = claims.doing(doing)?;
            let mut claims = claims["items"].as_array().into_iter().flatten();
            let all = claims.all(|claim| claim["status"]["phase"] == "Bound");
            Ok::<_, Failure>(all.then_some(()))
        })?;
        bound.ok_or_else(|| Failure::new(doing(), "its claims are not bound"))?;
        kubectl.wait_rolled_out(namespace).doing(doing)
    }

    fn apply(&self, name: &str, objects: &[Value]) -> Result<()> {
        let file = self.folder.join(format!("{name}.json"));
        let doing = || format!("apply {}", file.display());
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(&file, list.to_string()).doing(doing)?;
        self.stage.kubectl.apply(&file).doing(doing)
    }

    /// The volumes of the application that are frozen; they are thawed by the look.
    pub(super) fn frozen(&self) -> Result<Vec<String>> {
        let words = [
            "-n",
            SHOP,
            "exec",
            "deployment/shop",
            "--",
            "sh",
            "-c",
            UNFREEZE,
        ];
        let told = self.stage.kubectl.run(&words);
        let told = told.doing(|| "look for frozen volumes".to_owned())?;
        Ok(told.lines().map(str::to_owned).collect())
    }

    /// Fails when something is frozen.
    pub(super) fn nothing_is_frozen(&self) -> Result<()> {
        match self.frozen()?.as_slice() {
            [] => Ok(()),
            frozen => Err(Failure::new("thaw the application", frozen.join(", "))),
        }
    }
}
