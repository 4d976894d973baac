//! The end-to-end scenarios, several at a time, each worker with a cluster of its own.
//!
//! A scenario waits for its cluster most of the time, and leaves that cluster as it found it. So each worker
//! takes the next scenario that nobody has begun, runs it by itself, and tells what came of it when it ends.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::{go, npm, pypi, stage, up};
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

/// How one scenario ended.
struct Ended {
    name: String,
    /// What it printed, if it failed.
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
        let names = names_in(&String::from_utf8_lossy(&listed.stdout));
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
            data(closing_lines(&ended, watch.elapsed().as_secs_f64()));
            let failed = ended.iter().filter(|one| one.failure.is_some()).count();
            if failed == 0 {
                return Ok(());
            }
            let cause = format!("{failed} of {} failed", ended.len());
            Err(Failure::new("pass the end-to-end scenarios", cause))
        })
    }

    fn run_beside_each_other(&self, workers: &[Vec<Variable>]) -> Result<Vec<Ended>> {
        let waiting: Mutex<VecDeque<&String>> = Mutex::new(self.names.iter().collect());
        let next = || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.pop_front()
        };
        let work = |env: &[Variable]| -> Result<Vec<Ended>> {
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

    fn run_one(&self, name: &str, env: &[Variable]) -> Result<Ended> {
        let watch = Stopwatch::start();
        let mut command = Command::new(&self.program);
        command.args(["--exact", name]);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let output = command
            .output()
            .doing(|| format!("start {}", self.program.display()))?;
        let failure = (!output.status.success()).then(|| what_failed(&output));
        let verdict = if failure.is_none() { "ok" } else { "FAILED" };
        let seconds = watch.elapsed().as_secs_f64();
        data(format_args!("test {name} ... {verdict} <{seconds:.1}s>"));
        Ok(Ended {
            name: name.to_owned(),
            failure,
        })
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

/// The names in a terse list of the test harness: `scenarios::keys::a_lost_key: test`.
fn names_in(listed: &str) -> Vec<String> {
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// What a scenario that failed has printed: its part of what the test harness tells, or all of it if the
/// harness itself came to no end.
fn what_failed(output: &Output) -> String {
    const HEADING: &str = "\nfailures:\n";
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let mut parts = printed.split(HEADING);
    let report = match (parts.next(), parts.next(), parts.next()) {
        (_, Some(report), Some(_names)) => report.trim().to_owned(),
        _ => format!("{}\n{printed}", output.status),
    };
    format!("{report}\n{told}")
}

/// The end of the run, in the words of the test harness.
fn closing_lines(ended: &[Ended], seconds: f64) -> String {
    let failures = ended
        .iter()
        .filter_map(|one| Some((&one.name, one.failure.as_ref()?)));
    let (names, reports): (Vec<_>, Vec<_>) = failures.unzip();
    let (failed, passed) = (names.len(), ended.len() - names.len());
    let mut lines = String::new();
    if failed > 0 {
        lines.push_str("\nfailures:\n\n");
        lines.extend(reports.into_iter().map(|report| format!("{report}\n\n")));
        lines.push_str("\nfailures:\n");
        lines.extend(names.into_iter().map(|name| format!("    {name}\n")));
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    format!(
        "{lines}\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         0 filtered out; finished in {seconds:.2}s\n"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn names_are_read_from_the_harness() {
        let listed = "scenarios::keys::a_lost_key: test\nscenarios::load: benchmark\n\n1 test\n";
        assert_eq!(names_in(listed), ["scenarios::keys::a_lost_key"]);
    }

    fn output(status: i32, stdout: &str) -> Output {
        Output {
            status: ExitStatus::from_raw(status),
            stdout: stdout.into(),
            stderr: b"a child's last words".to_vec(),
        }
    }

    #[test]
    fn what_failed_is_told_with_its_reason() {
        const FAILED: i32 = 101 << 8;
        let printed = "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nwhy\n\n\n\
                       failures:\n    a\n\ntest result: FAILED.";
        assert_eq!(
            what_failed(&output(FAILED, printed)),
            "---- a stdout ----\nwhy\na child's last words"
        );
        const KILLED: i32 = 9;
        assert_eq!(
            what_failed(&output(KILLED, "running 1 test\n")),
            "signal: 9 (SIGKILL)\nrunning 1 test\n\na child's last words"
        );
    }

    #[test]
    fn the_closing_lines_name_what_failed() {
        let one = |name: &str, failure: Option<&str>| Ended {
            name: name.to_owned(),
            failure: failure.map(str::to_owned),
        };
        let ended = [one("a", None), one("b", Some("why")), one("c", None)];
        assert_eq!(
            closing_lines(&ended, 1.5),
            "\nfailures:\n\nwhy\n\n\nfailures:\n    b\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; \
             0 measured; 0 filtered out; finished in 1.50s\n"
        );
        assert_eq!(
            closing_lines(&ended[..1], 1.0),
            "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n"
        );
    }
}
