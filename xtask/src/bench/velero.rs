//! The peer: Velero on the same cluster, the same objects, in the same run.
//!
//! It is built from its Go module (`tests/peers/velero`) and runs as a process beside the cluster, as the
//! cluster's administrator and without a memory limit, with SeaweedFS as its S3 store. Its settings are
//! its defaults, but for how often it looks whether backups are in the store.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use strongroom_e2e::s3::{ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY};
use strongroom_e2e::server::free_port;

use super::mix;
use super::processes;
use super::report::Figures;
use super::setting::Setting;
use crate::cluster;
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch, say};
use crate::test::pypi;
use crate::tool;

/// Where Velero's objects live.
const NAMESPACE: &str = "velero";
const BUCKET: &str = "velero";
/// How long Velero may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long one of its jobs may take: at 25 objects a second 100,000 take more than an hour.
const JOB_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Velero and its store. Dropping it ends both.
pub(crate) struct Velero {
    programs: PathBuf,
    folder: PathBuf,
    s3: S3,
    server: Option<Server>,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What one of its jobs took.
#[derive(Clone, Copy, Debug)]
struct Took {
    wall: Duration,
    cpu: f64,
    peak_mib: f64,
}

impl Velero {
    /// Builds Velero and starts its store.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let programs = cluster::velero()?;
        let folder = folder.join("velero");
        let plugins = folder.join("plugins");
        fs::create_dir_all(&plugins).doing(|| format!("make {}", plugins.display()))?;
        let plugin = "velero-plugin-for-aws";
        fs::copy(programs.join(plugin), plugins.join(plugin))
            .doing(|| "put Velero's plug-in into its place".to_owned())?;
        let s3 = S3::start(&pypi::seaweedfs()?, &folder.join("s3"));
        let s3 = s3.doing(|| "start SeaweedFS".to_owned())?;
        s3.create_bucket(BUCKET)
            .doing(|| "make Velero's bucket".to_owned())?;
        let keys = format!(
            "[default]\naws_access_key_id={ACCESS_KEY_ID}\naws_secret_access_key={SECRET_ACCESS_KEY}\n"
        );
        let file = folder.join("aws-keys");
        fs::write(&file, keys).doing(|| format!("write {}", file.display()))?;
        Ok(Self {
            programs,
            folder,
            s3,
            server: None,
        })
    }

    /// Backs the mix up twice and puts down what that took.
    pub(crate) fn back_up(&mut self, setting: &Setting, figures: &mut Figures) -> Result<()> {
        self.start(setting)?;
        for name in ["first", "second"] {
            let spec = json!({"includedNamespaces": mix::namespaces(), "snapshotVolumes": false,
                "storageLocation": "default", "ttl": "24h0m0s"});
            let took = self.job(setting, "Backup", "backups", name, &spec)?;
            figures.set(
                &format!("velero_{name}_backup_seconds"),
                took.wall.as_secs_f64(),
            );
            figures.set(&format!("velero_{name}_backup_cpu_seconds"), took.cpu);
            figures.set("velero_backup_peak_rss_mib", took.peak_mib);
        }
        self.server = None;
        Ok(())
    }

    /// Restores the first backup into the cluster, which must be empty, and puts down what that took.
    pub(crate) fn restore(&mut self, setting: &Setting, figures: &mut Figures) -> Result<()> {
        self.start(setting)?;
        let path = format!("{}/first", collection("backups"));
        let known = talk::poll(START_LIMIT, LOOK, || {
            let found = setting.raw.ask(Method::GET, &path, None);
            Ok::<_, Failure>(
                found
                    .ok()
                    .filter(|found| found["status"]["phase"] == "Completed"),
            )
        })?;
        if known.is_none() {
            return Err(Failure::new(
                "restore by Velero",
                "it does not find its backup",
            ));
        }
        let spec = json!({"backupName": "first"});
        let took = self.job(setting, "Restore", "restores", "first", &spec)?;
        figures.set("velero_restore_seconds", took.wall.as_secs_f64());
        figures.set("velero_restore_cpu_seconds", took.cpu);
        figures.set("velero_restore_peak_rss_mib", took.peak_mib);
        self.server = None;
        Ok(())
    }

    /// Installs Velero's definitions and starts its server.
    fn start(&mut self, setting: &Setting) -> Result<()> {
        let definitions = self.folder.join("definitions.yaml");
        let told = tool::output(
            Command::new(self.programs.join("velero"))
                .args(["install", "--crds-only", "--dry-run", "--output", "yaml"])
                .env("KUBECONFIG", &setting.cluster.kubeconfig)
                .env("HOME", &self.folder),
        )?;
        fs::write(&definitions, told).doing(|| "write Velero's definitions".to_owned())?;
        tool::output(
            setting
                .cluster
                .kubectl()
                .args(["apply", "-f"])
                .arg(&definitions),
        )?;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        setting
            .raw
            .ask(Method::POST, "/api/v1/namespaces", Some(&namespace))?;
        // Its restore looks at the Deployment that it usually runs as, to know its image.
        let own = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "velero", "namespace": NAMESPACE},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"name": "velero"}},
                "template": {"metadata": {"labels": {"name": "velero"}}, "spec": {"containers": [
                    {"name": "velero", "image": "velero/velero:v1.18.3"}]}}},
        });
        let deployments = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        setting.raw.ask(Method::POST, &deployments, Some(&own))?;
        let location = json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {"provider": "velero.io/aws", "default": true, "backupSyncPeriod": "2s",
                "objectStorage": {"bucket": BUCKET},
                "config": {"region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": self.s3.endpoint()}},
        });
        let path = collection("backupstoragelocations");
        let made = talk::poll(START_LIMIT, LOOK, || {
            let made = setting.raw.ask(Method::POST, &path, Some(&location));
            Ok::<_, Failure>(made.ok())
        })?;
        made.ok_or_else(|| Failure::new("name Velero's store", "its kinds are not served"))?;
        self.server = Some(self.start_server(setting)?);
        let path = format!("{path}/default");
        let ready = talk::poll(START_LIMIT, LOOK, || {
            let found = setting.raw.ask(Method::GET, &path, None)?;
            Ok::<_, Failure>((found["status"]["phase"] == "Available").then_some(()))
        })?;
        ready.ok_or_else(|| {
            Failure::new("start Velero", "its store is not available")
                .way_out("see .strongroom/bench/velero/velero.log")
        })
    }

    fn start_server(&self, setting: &Setting) -> Result<Server> {
        let doing = || "start Velero".to_owned();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("velero.log"))
            .doing(doing)?;
        let port = || free_port().doing(doing);
        let child = Command::new(self.programs.join("velero"))
            .args(["server", "--namespace", NAMESPACE, "--log-level", "warning"])
            .arg("--plugin-dir")
            .arg(self.folder.join("plugins"))
            .arg(format!("--metrics-address=127.0.0.1:{}", port()?))
            .arg(format!("--profiler-address=127.0.0.1:{}", port()?))
            .current_dir(&self.folder)
            .env("KUBECONFIG", &setting.cluster.kubeconfig)
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.join("aws-keys"))
            .env("VELERO_NAMESPACE", NAMESPACE)
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().doing(doing)?)
            .stderr(log)
            .spawn();
        child.doing(doing).map(Server)
    }

    /// Makes one of Velero's jobs and waits for its end, as its client sees it.
    fn job(
        &self,
        setting: &Setting,
        kind: &str,
        plural: &str,
        name: &str,
        spec: &Value,
    ) -> Result<Took> {
        let pid = self.server.as_ref().map_or(0, |server| server.0.id());
        processes::forget_peak(pid)?;
        let cpu = processes::cpu_seconds(pid);
        let watch = Stopwatch::start();
        let object = json!({"apiVersion": "velero.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec});
        setting
            .raw
            .ask(Method::POST, &collection(plural), Some(&object))?;
        let path = format!("{}/{name}", collection(plural));
        let ended = talk::poll(JOB_LIMIT, LOOK, || {
            let found = setting.raw.ask(Method::GET, &path, None)?;
            let phase = found["status"]["phase"].as_str().unwrap_or_default();
            let failed = phase.contains("Fail");
            Ok::<_, Failure>((failed || phase == "Completed").then_some(found))
        })?;
        let wall = watch.elapsed();
        let doing = || format!("{kind} {name} by Velero");
        let ended = ended.ok_or_else(|| Failure::new(doing(), "it does not end"))?;
        let phase = ended["status"]["phase"].as_str().unwrap_or_default();
        if phase != "Completed" {
            return Err(Failure::new(
                doing(),
                format!("{phase}: {}", ended["status"]),
            ));
        }
        let took = Took {
            wall,
            cpu: processes::cpu_seconds(pid) - cpu,
            peak_mib: processes::peak_rss_mib(pid),
        };
        say(format_args!(
            "{:>7.2} s  Velero: {kind} {name}; {:.1} CPU s, peak {:.0} MiB; {}",
            wall.as_secs_f64(),
            took.cpu,
            took.peak_mib,
            ended["status"]["progress"],
        ));
        Ok(took)
    }
}

fn collection(plural: &str) -> String {
    format!("/apis/velero.io/v1/namespaces/{NAMESPACE}/{plural}")
}
