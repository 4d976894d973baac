//! A stage that leaves the cluster as it found it, also when a scenario fails.

use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use serde_json::Value;
use strongroom_core::selection::SNAPSHOT_LABEL;
use strongroom_e2e::process::StageResult;
use strongroom_e2e::sample::Application;
use strongroom_e2e::stage::{Props, Stage, VAULT};

/// The stage of one scenario; clears the cluster when it is dropped.
pub(crate) struct TestStage(Stage);

impl TestStage {
    /// A server on the test cluster; nothing is configured yet.
    pub(crate) fn bare() -> Self {
        Self::with(&[])
    }

    /// The same with a server that finds these variables.
    pub(crate) fn with(env: &[(&str, &str)]) -> Self {
        let stage = Self(Stage::open(Props::from_environment().unwrap(), env).unwrap());
        stage.clear().unwrap();
        stage
    }

    /// The sample application is there and protected.
    pub(crate) fn protected(application: &Application) -> Self {
        let stage = Self::bare();
        application.deploy(&stage.kubectl).unwrap();
        stage.set_up(application).unwrap();
        stage
    }

    /// What a failed assertion over a job should show: its end, and the objects that failed.
    pub(crate) fn told(&self, job: &Value) -> String {
        let id = job["name"].as_str().unwrap_or_default();
        let report = self.cli.run(&[
            "job", "report", id, "--vault", VAULT, "--failed", "-o", "json",
        ]);
        format!(
            "{job:#}\n{}",
            report.unwrap_or_else(|error| error.to_string())
        )
    }

    /// Takes down all that scenarios make in the cluster.
    fn clear(&self) -> StageResult<()> {
        self.0.clear_cluster()?;
        self.remove_kept_snapshots()
    }

    /// Removes the volume snapshots of recovery points, which outlive their namespaces: the extension of
    /// the next scenario would find them, and take them for those of its own instance. Groups first, with
    /// which the driver's snapshots of their members go.
    fn remove_kept_snapshots(&self) -> StageResult<()> {
        let of_groups = "groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-being-deleted=yes";
        self.remove_kept("volumegroupsnapshotcontents", of_groups)?;
        let of_snapshots = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted=yes";
        self.remove_kept("volumesnapshotcontents", of_snapshots)
    }

    /// Removes contents as the snapshot controller does it when what they were made for is deleted.
    fn remove_kept(&self, plural: &str, deleted: &str) -> StageResult<()> {
        let kept = |verb: &[&str], options: &[&str]| {
            let of_points = [plural, "-l", SNAPSHOT_LABEL];
            self.kubectl.run(&[verb, &of_points, options].concat())
        };
        if kept(&["get"], &["-o", "name"])?.trim().is_empty() {
            return Ok(());
        }
        kept(&["annotate", "--overwrite"], &[deleted])?;
        let names = kept(&["get"], &["-o", "name"])?;
        for name in names.lines() {
            let policy = r#"{"spec":{"deletionPolicy":"Delete"}}"#;
            self.kubectl
                .run(&["patch", name, "--type", "merge", "-p", policy])?;
        }
        kept(&["delete"], &["--timeout=60s"]).map(drop)
    }

    /// Names of custom resources of jobs that are left in the cluster.
    pub(crate) fn leftover_jobs(&self) -> StageResult<Vec<String>> {
        let listed = self.kubectl.json(&["-n", "dataprotection-microsoft", "get", "backups.clusterbackup.dataprotection.microsoft.com,restores.clusterbackup.dataprotection.microsoft.com"])?;
        let names = listed["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["metadata"]["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Files in the server's own storage whose paths are wanted, in order.
    pub(crate) fn stored_files(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut folders = vec![self.data_dir().join("blobs")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            // The server removes folders that have become empty while this looks.
            let entries = match std::fs::read_dir(folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.unwrap(),
            };
            for entry in entries {
                match entry.unwrap().path() {
                    path if path.is_dir() => folders.push(path),
                    path if is_wanted(&path.to_string_lossy()) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

impl Deref for TestStage {
    type Target = Stage;
    fn deref(&self) -> &Stage {
        &self.0
    }
}

impl DerefMut for TestStage {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.0
    }
}

impl Drop for TestStage {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            eprintln!("the scenario leaves the cluster unclean: {error}");
        }
    }
}

/// The status of a job as the public API tells it.
pub(crate) fn status(job: &Value) -> &str {
    job["properties"]["status"]
        .as_str()
        .unwrap_or("(no status)")
}
