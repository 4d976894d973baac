//! The end-to-end scenarios, several at a time, each worker with a cluster of its own.
//!
//! A scenario waits for its cluster most of the time, and leaves that cluster as it found it. So each worker
//! takes the next scenario that nobody has begun, runs it by itself, and tells what came of it when it ends.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::{go, harness, npm, pypi, stage, up};
use crate::cluster::{self, Cluster};
use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, data};

/// The clusters of the workers, in the order in which they are needed. Two, because two cores are what these
/// tests are made for: a third scenario at a time would have all of them wait for a processor.
const CLUSTERS: [&str; 2] = ["test", "test-2"];

/// What an environment variable of the scenarios is called, and its value.
type Variable = (&'static str, PathBuf);

/// The scenarios that match, in a program that runs them.
pub(super) struct Scenarios {
    program: PathBuf,
    names: Vec<String>,
}

/// How one scenario ended: its name, and what it printed if it failed.
struct Ended<'a> {
    name: &'a str,
    failure: Option<String>,
}

impl Scenarios {
    /// Builds the scenarios, and keeps those whose names contain `filter`.
    pub(super) fn matching(filter: &str) -> Result<Self> {
        let program = product::tests_of("e2e")?;
        let mut list = Command::new(&program);
        list.args(["--list", "--format", "terse", filter]);
        let listed = list
            .output()
            .doing(|| format!("start {}", program.display()))?;
        if !listed.status.success() {
            let told = String::from_utf8_lossy(&listed.stderr);
            let cause = format!("{}\n{told}", listed.status);
            return Err(Failure::new("list the end-to-end scenarios", cause));
        }
        let names = harness::names_in(&String::from_utf8_lossy(&listed.stdout));
        Ok(Self { program, names })
    }

    /// Whether no name matches.
    pub(super) fn are_none(&self) -> bool {
        self.names.is_empty()
    }

    /// Starts the clusters that these scenarios have work for.
    pub(super) fn clusters(&self) -> Result<Vec<Cluster>> {
        let wanted = CLUSTERS.iter().take(self.names.len());
        wanted.map(|name| up(name)).collect()
    }

    /// Runs all of them, also when one fails.
    pub(super) fn run(&self, clusters: &[Cluster]) -> Result<()> {
        let binary = product::build_with_tests()?;
        let shared = shared_variables(&binary)?;
        let workers: Result<Vec<Vec<Variable>>> = stage("images", || {
            clusters
                .iter()
                .map(|cluster| Ok([shared.clone(), variables_of(cluster, &binary)?].concat()))
                .collect()
        });
        let workers = workers?;
        stage("end to end", || {
            data(format_args!("\nrunning {} tests", self.names.len()));
            let watch = Stopwatch::start();
            let ended = self.run_beside_each_other(&workers)?;
            let failed: Vec<(&str, &str)> = ended
                .iter()
                .filter_map(|one| Some((one.name, one.failure.as_deref()?)))
                .collect();
            let passed = ended.len() - failed.len();
            let seconds = watch.elapsed().as_secs_f64();
            data(harness::closing_lines(&failed, passed, seconds));
            if failed.is_empty() {
                return Ok(());
            }
            let cause = format!("{} of {} failed", failed.len(), ended.len());
            Err(Failure::new("pass the end-to-end scenarios", cause))
        })
    }

    fn run_beside_each_other(&self, workers: &[Vec<Variable>]) -> Result<Vec<Ended<'_>>> {
        let waiting: Mutex<VecDeque<&str>> =
            Mutex::new(self.names.iter().map(String::as_str).collect());
        let next = || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.pop_front()
        };
        let work = |env: &[Variable]| -> Result<Vec<Ended<'_>>> {
            std::iter::from_fn(next)
                .map(|name| self.run_one(name, env))
                .collect()
        };
        std::thread::scope(|scope| {
            let started: Vec<_> = workers
                .iter()
                .map(|env| scope.spawn(move || work(env)))
                .collect();
            let mut ended = Vec::new();
            for worker in started {
                let panicked = |_panic| Failure::new("run the scenarios", "a worker panicked");
                ended.extend(worker.join().map_err(panicked)??);
            }
            Ok(ended)
        })
    }

    fn run_one<'a>(&self, name: &'a str, env: &[Variable]) -> Result<Ended<'a>> {
        let watch = Stopwatch::start();
        let mut command = Command::new(&self.program);
        command.args(["--exact", name]);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let output = command
            .output()
            .doing(|| format!("start {}", self.program.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && harness::one_passed(&printed);
        let failure = (!passed).then(|| {
            let all = || format!("{}\n{printed}", output.status);
            let report = harness::reports_in(&printed).map_or_else(all, str::to_owned);
            format!("{report}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        let verdict = if passed { "ok" } else { "FAILED" };
        let seconds = watch.elapsed().as_secs_f64();
        data(format_args!("test {name} ... {verdict} <{seconds:.1}s>"));
        Ok(Ended { name, failure })
    }
}

/// Removes the clusters of the workers.
pub(super) fn down() -> Result<()> {
    CLUSTERS
        .iter()
        .try_for_each(|name| cluster::down(name, true))
}

/// What scenarios on any cluster find in their environment.
fn shared_variables(binary: &Path) -> Result<Vec<Variable>> {
    let xtask = std::env::current_exe().doing(|| "find this command's own path".to_owned())?;
    Ok(vec![
        ("STRONGROOM_E2E_BINARY", binary.to_owned()),
        ("STRONGROOM_E2E_XTASK", xtask),
        ("STRONGROOM_E2E_PYTHON", pypi::python_sdk()?),
        ("STRONGROOM_E2E_SEAWEEDFS", pypi::seaweedfs()?),
        ("STRONGROOM_E2E_AZURITE", npm::azurite()?),
        ("STRONGROOM_E2E_NODE_PACKAGES", npm::packages()?),
        ("STRONGROOM_E2E_TERRAFORM_CLIENT", go::terraform_client()?),
    ])
}

/// Brings the images that scenarios need into a cluster, and tells what they find of it.
fn variables_of(cluster: &Cluster, binary: &Path) -> Result<Vec<Variable>> {
    let image = cluster.load_strongroom(binary)?;
    cluster.load_databases()?;
    Ok(vec![
        ("STRONGROOM_E2E_IMAGE", image.into()),
        (
            "STRONGROOM_E2E_KUBECTL",
            cluster.kubectl().get_program().into(),
        ),
        ("STRONGROOM_E2E_KUBECONFIG", cluster.kubeconfig.clone()),
        ("STRONGROOM_E2E_CLUSTER", cluster.name.clone().into()),
    ])
}
