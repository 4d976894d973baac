//! The cluster as its administrator sees it: kubectl with a kubeconfig.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running, StageError, StageResult};

/// A cluster that is up, and the kubectl that speaks to it.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The kubectl program.
    pub program: PathBuf,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Kubectl {
    /// Runs kubectl with these arguments and returns what it prints.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<String> {
        let env = [("KUBECONFIG", self.kubeconfig.as_os_str())];
        process::run(&self.program, args, &env)
    }

    /// Starts kubectl beside the test; it is killed when the handle is dropped.
    pub fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<Running> {
        let env = [("KUBECONFIG", self.kubeconfig.as_os_str())];
        process::start(&self.program, args, &env)
    }

    /// Runs kubectl and tells only whether it succeeded.
    pub fn succeeds<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<bool> {
        let env = [("KUBECONFIG", self.kubeconfig.as_os_str())];
        Ok(process::output(&self.program, args, &env)?.status.success())
    }

    /// Runs `kubectl … -o json` and parses the answer.
    pub fn json(&self, args: &[&str]) -> StageResult<Value> {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        let text = self.run(&all)?;
        serde_json::from_str(&text).map_err(|error| {
            StageError::Unexpected(format!(
                "kubectl {} printed no JSON: {error}",
                all.join(" ")
            ))
        })
    }

    /// Applies a manifest file.
    pub fn apply(&self, manifest: &Path) -> StageResult<()> {
        self.run(&[
            OsStr::new("apply"),
            OsStr::new("--server-side"),
            OsStr::new("-f"),
            manifest.as_os_str(),
        ])
        .map(drop)
    }

    /// Deletes namespaces, if they exist, and waits until all are gone.
    pub fn delete_namespaces(&self, names: &[&str]) -> StageResult<()> {
        let find = ["get", "namespaces", "--ignore-not-found", "-o", "name"];
        let found = self.run(&[&find[..], names].concat())?;
        let found: Vec<&str> = found.lines().collect();
        if found.is_empty() {
            return Ok(());
        }
        for namespace in &found {
            self.delete_what_takes_time(namespace.trim_start_matches("namespace/"))?;
        }
        let delete = ["delete", "--ignore-not-found", "--timeout=180s"];
        self.run(&[&delete[..], &found].concat()).map(drop)
    }

    /// Deletes what a namespace would wait for. Its controller looks after 5 s, and if anything is left then,
    /// again after up to half of the time that the slowest pod may take (16 s for most), or 8 s for a claim:
    /// <https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/namespace/namespace_controller.go#L158>.
    fn delete_what_takes_time(&self, namespace: &str) -> StageResult<()> {
        let delete = |types: &str, how: &str| {
            self.run(&[
                "-n",
                namespace,
                "delete",
                types,
                "--all",
                how,
                "--timeout=60s",
            ])
        };
        let makers = "cronjobs,jobs,deployments,daemonsets,statefulsets,replicasets";
        delete(makers, "--wait=false")?;
        delete("pods,persistentvolumeclaims", "--grace-period=1").map(drop)
    }

    /// Waits until every Deployment, StatefulSet and DaemonSet of a namespace is rolled out.
    pub fn wait_rolled_out(&self, namespace: &str) -> StageResult<()> {
        let listed = self.json(&[
            "-n",
            namespace,
            "get",
            "deployments,statefulsets,daemonsets",
        ])?;
        for item in listed["items"].as_array().into_iter().flatten() {
            let (Some(kind), Some(name)) =
                (item["kind"].as_str(), item["metadata"]["name"].as_str())
            else {
                continue;
            };
            self.run(&[
                "-n",
                namespace,
                "rollout",
                "status",
                &format!("{kind}/{name}"),
                "--timeout=120s",
            ])?;
        }
        Ok(())
    }

    /// Waits until `probe` of this cluster says yes.
    pub fn wait(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut(&Self) -> Result<(), String>,
    ) -> StageResult<()> {
        process::wait_for(what, limit, || probe(self))
    }
}
