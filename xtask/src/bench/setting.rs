//! What is measured: a cluster of its own, a server process, and the extension as a process beside it,
//! as its own service account and within its memory limit.
//!
//! The extension is not a pod, since the cluster has no node: its Deployment is told to be rolled out,
//! and the process that stands for its pod gets a token of its service account.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use strongroom_e2e::kubectl::Kubectl;
use strongroom_e2e::stage::{CLUSTER, Props, Reach, Stage, VAULT};

use super::metrics;
use super::mix;
use super::outside::{self, ACCOUNT, Extension, NAMESPACE, account, deployment};
use super::processes::{self, Cpu, MemoryLimit, Parts};
use super::raw::Raw;
use crate::cluster::{self, Cluster, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch, say};
use crate::workspace;

/// The cluster of the benchmark.
const NAME: &str = "bench";
/// The memory that the extension is held to, in MiB: the bar of issue 4.
pub(crate) const MEMORY_MIB: u64 = 128;
/// How long the extension's objects may take to appear, or the extension to say that it is ready.
const INSTALL_LIMIT: Duration = Duration::from_secs(60);
/// How often that is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that runs for the benchmark. Dropping it ends all of it but the cluster.
pub(crate) struct Setting {
    pub(crate) stage: Stage,
    pub(crate) cluster: Cluster,
    pub(crate) raw: Raw,
    pub(crate) parts: Parts,
    pub(crate) memory: MemoryLimit,
    extension: Option<Extension>,
    binary: PathBuf,
    folder: PathBuf,
}

impl Setting {
    /// Starts all of it, and remembers the cluster as it is: connected, and without any of the mix.
    pub(crate) fn open(binary: &Path) -> Result<Self> {
        let folder = workspace::root().join(".strongroom/bench");
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(|| "remove the last benchmark".to_owned())?;
        }
        fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
        cluster::down(NAME, true)?;
        let cluster = up()?;
        let raw = Raw::connect(&cluster)?;
        let parts = Parts::of(&cluster)?;
        parts.hold_controllers()?;
        metrics::name_the_extension(&raw, NAMESPACE, ACCOUNT)?;
        let props = Props {
            binary: binary.to_owned(),
            image: "strongroom-bench:none".to_owned(),
            kubectl: Kubectl {
                program: cluster.kubectl().get_program().into(),
                kubeconfig: cluster.kubeconfig.clone(),
            },
            reach: Reach::Address("127.0.0.1".to_owned()),
        };
        let stage = Stage::open_at(props, &folder).doing(|| "start the server".to_owned())?;
        let mut setting = Self {
            stage,
            cluster,
            raw,
            parts,
            memory: MemoryLimit::create(MEMORY_MIB)?,
            extension: None,
            binary: binary.to_owned(),
            folder,
        };
        setting.connect()?;
        setting.remember()?;
        Ok(setting)
    }

    /// Installs the extension as a user does, and plays its pod meanwhile.
    fn connect(&mut self) -> Result<()> {
        let watch = Stopwatch::start();
        let doing = || "connect the cluster".to_owned();
        let extension = std::thread::scope(|scope| {
            let connecting = scope.spawn(|| {
                self.stage.create_vault()?;
                self.stage.connect_cluster()
            });
            let played = self.play_the_pod();
            match connecting.join() {
                Ok(connected) => connected.doing(doing)?,
                Err(_panic) => return Err(Failure::new(doing(), "its thread panicked")),
            }
            played
        })?;
        self.extension = Some(extension);
        say(format_args!(
            "{:>8}  the extension is connected",
            watch.words()
        ));
        Ok(())
    }

    /// Waits for the extension's objects, starts its process, and tells its Deployment so.
    fn play_the_pod(&self) -> Result<Extension> {
        let found = talk::poll(INSTALL_LIMIT, PAUSE, || {
            let account = self.raw.ask(Method::GET, &account(), None);
            let deployment = self.raw.ask(Method::GET, &deployment(), None);
            Ok::<_, Failure>(account.and(deployment).ok())
        })?;
        if found.is_none() {
            return Err(Failure::new(
                "start the extension",
                "its objects were not made",
            ));
        }
        outside::write_kubeconfig(&self.raw, &self.kubeconfig())?;
        let extension = self.start_extension()?;
        self.tell_rolled_out()?;
        Ok(extension)
    }

    /// Writes the Deployment's status as its controller would when the pod runs. Controllers are held
    /// by now, so that it stays.
    fn tell_rolled_out(&self) -> Result<()> {
        let found = self.raw.ask(Method::GET, &deployment(), None)?;
        let rolled_out = json!({"status": {
            "observedGeneration": found["metadata"]["generation"], "unavailableReplicas": null,
            "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
        }});
        let path = format!("{}/status", deployment());
        self.raw
            .ask(Method::PATCH, &path, Some(&rolled_out))
            .map(drop)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("extension.kubeconfig")
    }

    fn start_extension(&self) -> Result<Extension> {
        let command = self.memory.command(&self.binary)?;
        let log = self.folder.join("extension.log");
        Extension::start(&self.raw, command, &self.kubeconfig(), &log)
    }

    /// Keeps what etcd holds now, for [`Setting::empty_again`].
    fn remember(&mut self) -> Result<()> {
        let etcd = self.cluster.state().join("etcd");
        let kept = self.folder.join("etcd");
        self.with_cluster_down(|| copy_folder(&etcd, &kept))
    }

    /// Puts the cluster back to where it was before anything of the mix was in it.
    pub(crate) fn empty_again(&mut self) -> Result<()> {
        let etcd = self.cluster.state().join("etcd");
        let kept = self.folder.join("etcd");
        self.with_cluster_down(|| {
            fs::remove_dir_all(&etcd).doing(|| "remove etcd's data".to_owned())?;
            copy_folder(&kept, &etcd)
        })
    }

    fn with_cluster_down(&mut self, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.extension = None;
        // A process that is held would not hear that it is to end.
        processes::signal(self.parts.controller_manager, Signal::CONT)?;
        cluster::down(NAME, false)?;
        act()?;
        self.cluster = up()?;
        self.raw = Raw::connect(&self.cluster)?;
        self.parts = Parts::of(&self.cluster)?;
        self.parts.hold_controllers()?;
        let began = self.stage_heartbeat();
        self.extension = Some(self.start_extension()?);
        self.tell_rolled_out()?;
        let ready = talk::poll(INSTALL_LIMIT, PAUSE, || {
            let now = self.stage_heartbeat();
            Ok::<_, Failure>((now != began).then_some(()))
        })?;
        ready.ok_or_else(|| Failure::new("start the extension", "it gives no sign of life"))
    }

    /// The extension's last sign of life.
    fn stage_heartbeat(&self) -> Value {
        let path = format!(
            "/apis/clusterbackup.dataprotection.microsoft.com/v1alpha1/namespaces/{NAMESPACE}/backupextensions/{ACCOUNT}"
        );
        let told = self.raw.ask(Method::GET, &path, None).unwrap_or_default();
        told["status"]["heartbeat"].clone()
    }

    /// Where the benchmark keeps what it needs and logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The extension's process id.
    pub(crate) fn extension_pid(&self) -> u32 {
        self.extension.as_ref().map_or(0, Extension::id)
    }

    /// CPU seconds of all that takes part, until now.
    pub(crate) fn cpu(&self) -> Cpu {
        let server = self
            .stage
            .server
            .as_ref()
            .map_or(0, strongroom_e2e::server::Server::id);
        Cpu {
            api_server: processes::cpu_seconds(self.parts.api_server),
            etcd: processes::cpu_seconds(self.parts.etcd),
            extension: processes::cpu_seconds(self.extension_pid()),
            server: processes::cpu_seconds(server),
        }
    }

    /// Makes the namespaces of the mix, one that stays empty, and the definition of its custom resources.
    pub(crate) fn make_places(&self) -> Result<()> {
        let names = mix::namespaces()
            .into_iter()
            .chain(["bench-empty".to_owned()]);
        for name in names {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            self.raw
                .ask(Method::POST, "/api/v1/namespaces", Some(&object))?;
        }
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        self.raw.ask(Method::POST, path, Some(&mix::definition()))?;
        let served = talk::poll(INSTALL_LIMIT, PAUSE, || {
            let listed = self
                .raw
                .ask(Method::GET, &mix::Kind::Item.list_path(), None);
            Ok::<_, Failure>(listed.ok().map(drop))
        })?;
        served.ok_or_else(|| Failure::new("define the custom resources", "they are not served"))
    }

    /// Protects these namespaces by a backup instance, with a policy of its own: a cluster is protected
    /// once by each.
    pub(crate) fn protect(&self, instance: &str, namespaces: &[String]) -> Result<()> {
        let words = [
            "policy",
            "create",
            instance,
            "--vault",
            VAULT,
            "--interval",
            "PT4H",
            "--retention",
            "P7D",
        ];
        let made = self.stage.cli.run(&words);
        made.doing(|| format!("make the policy {instance}"))?;
        let chosen = namespaces.join(",");
        let words = [
            "instance",
            "create",
            instance,
            "--vault",
            VAULT,
            "--policy",
            instance,
            "--cluster",
            CLUSTER,
            "--snapshot-volumes",
            "false",
            "--include-namespaces",
            &chosen,
        ];
        let made = self.stage.cli.run(&words);
        made.map(drop)
            .doing(|| format!("protect the mix by {instance}"))
    }

    /// Bytes that are stored now: of recovery points, and of reports.
    pub(crate) fn stored(&self) -> (u64, u64) {
        let blobs = self.stage.data_dir().join("blobs");
        let mut sums = (0, 0);
        sum_files(&blobs, false, &mut sums);
        sums
    }
}

fn up() -> Result<Cluster> {
    cluster::up(&UpOptions {
        name: NAME.to_owned(),
        tier: Some(Tier::ControlPlane),
        port: None,
    })
}

/// Ends the cluster and removes its state.
pub(crate) fn clear() -> Result<()> {
    cluster::down(NAME, true)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).doing(doing)?;
    for entry in fs::read_dir(from).doing(doing)? {
        let entry = entry.doing(doing)?;
        let target = to.join(entry.file_name());
        if entry.file_type().doing(doing)?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).doing(doing)?;
        }
    }
    Ok(())
}

fn sum_files(folder: &Path, of_reports: bool, sums: &mut (u64, u64)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let of_reports = of_reports || entry.file_name() == "reports";
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            sum_files(&entry.path(), of_reports, sums);
        } else if of_reports {
            sums.1 += metadata.len();
        } else {
            sums.0 += metadata.len();
        }
    }
}
