//! `cargo xtask test`: every test there is, the fast ones first, the real cluster last.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

use crate::cluster::{self, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, say};
use crate::tidy;
use crate::tool;
use crate::workspace;

/// The cluster that the tests share.
const CLUSTER: &str = "test";

/// What the tests can be told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Run these stages only
    #[arg(long, value_enum)]
    only: Vec<Stage>,
    /// Leave the test cluster up, for a quicker next run
    #[arg(long)]
    keep: bool,
    /// Only tests whose names contain this (stages cluster and e2e)
    filter: Option<String>,
}

/// The stages, in the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The shape of the workspace
    Tidy,
    /// Formatting and clippy without warnings
    Lint,
    /// Unit tests and contract suites of every crate
    Unit,
    /// What speaks to a Kubernetes API server, against a real one
    Cluster,
    /// End to end: the command line, the server, the extension in a real cluster
    E2e,
}

/// Runs all stages, or those that were named; ends at the first that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let wanted = |stage: Stage| arguments.only.is_empty() || arguments.only.contains(&stage);
    let total = Stopwatch::start();
    if wanted(Stage::Tidy) {
        stage("tidy", tidied)?;
    }
    if wanted(Stage::Lint) {
        stage("lint", lint)?;
    }
    if wanted(Stage::Unit) {
        stage("unit", || {
            cargo(&["test", "--workspace", "--exclude", "strongroom-e2e"], &[])
        })?;
    }
    if wanted(Stage::Cluster) || wanted(Stage::E2e) {
        let tested = on_a_cluster(arguments, wanted(Stage::Cluster), wanted(Stage::E2e));
        if !arguments.keep {
            cluster::down(CLUSTER, true)?;
        }
        tested?;
    }
    say(format_args!("all stages passed in {}", total.words()));
    Ok(ExitCode::SUCCESS)
}

fn tidied() -> Result<()> {
    if tidy::run()? == ExitCode::SUCCESS {
        return Ok(());
    }
    Err(Failure::new(
        "pass `cargo xtask tidy`",
        "the rules above are broken",
    ))
}

fn lint() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ],
        &[],
    )
}

fn on_a_cluster(arguments: &Arguments, api_server: bool, end_to_end: bool) -> Result<()> {
    let up = stage("start a real cluster", || {
        cluster::up(&UpOptions {
            name: CLUSTER.to_owned(),
            tier: Some(Tier::Node),
            port: None,
        })
    })?;
    let filter = arguments.filter.as_deref().unwrap_or_default();
    if api_server {
        let env = [("STRONGROOM_TEST_KUBECONFIG", up.kubeconfig.clone())];
        stage("real API server", || {
            cargo(
                &[
                    "test",
                    "-p",
                    "strongroom-kubernetes",
                    "--test",
                    "real_api_server",
                    "--",
                    "--test-threads=1",
                    filter,
                ],
                &env,
            )
        })?;
    }
    if end_to_end {
        let binary = product::build()?;
        let image = up.load_strongroom(&binary)?;
        let env = [
            ("STRONGROOM_E2E_BINARY", binary),
            ("STRONGROOM_E2E_IMAGE", image.into()),
            ("STRONGROOM_E2E_KUBECTL", up.kubectl().get_program().into()),
            ("STRONGROOM_E2E_KUBECONFIG", up.kubeconfig),
            (
                "STRONGROOM_E2E_XTASK",
                std::env::current_exe().doing(|| "find this command's own path".to_owned())?,
            ),
            ("STRONGROOM_E2E_CLUSTER", CLUSTER.into()),
            ("STRONGROOM_E2E_PYTHON", python()?),
        ];
        stage("end to end", || {
            cargo(
                &[
                    "test",
                    "-p",
                    "strongroom-e2e",
                    "--",
                    "--test-threads=1",
                    "--nocapture",
                    filter,
                ],
                &env,
            )
        })?;
    }
    Ok(())
}

/// A Python with the official SDK, in the user's cache; made when it is missing or its requirements changed.
fn python() -> Result<PathBuf> {
    let requirements = workspace::root().join("tests/e2e/python/requirements.txt");
    let wanted = tool::text_of(&requirements);
    let home = cluster::cache().join("python-sdk");
    let python = home.join("bin/python");
    let installed = home.join("requirements-installed.txt");
    if python.exists() && tool::text_of(&installed) == wanted {
        return Ok(python);
    }
    say("installing the official Python SDK from PyPI …");
    let path = |path: &Path| path.display().to_string();
    make_virtual_environment(&home)?;
    tool::run(
        &path(&python),
        [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            &path(&requirements),
        ],
    )?;
    std::fs::write(&installed, wanted).doing(|| format!("write {}", installed.display()))?;
    Ok(python)
}

/// Debian's python3 comes without venv; a Python of the user's own may have it.
fn make_virtual_environment(home: &Path) -> Result<()> {
    let make = || {
        tool::run(
            "python3",
            [
                "-m".as_ref(),
                "venv".as_ref(),
                "--clear".as_ref(),
                home.as_os_str(),
            ],
        )
    };
    if make().is_ok() {
        return Ok(());
    }
    say("installing Debian's python3-venv, which the official Python SDK needs …");
    tool::run(
        "apt-get",
        [
            "install",
            "--yes",
            "--no-install-recommends",
            "python3-venv",
        ],
    )?;
    make().map(drop)
}

fn cargo(words: &[&str], env: &[(&str, PathBuf)]) -> Result<()> {
    let mut command: Command = product::cargo();
    command.args(words.iter().filter(|word| !word.is_empty()));
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let status = command.status().doing(|| "start cargo".to_owned())?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(
        format!("pass `cargo {}`", words.join(" ")),
        status,
    ))
}

fn stage<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    say(format_args!("== {name}"));
    let watch = Stopwatch::start();
    let done = run()?;
    say(format_args!("== {name}: {}", watch.words()));
    Ok(done)
}
