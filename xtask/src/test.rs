//! `cargo xtask test`: every test there is, the fast ones first, the real cluster last.

mod npm;
pub(crate) mod pypi;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use strongroom_e2e::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use strongroom_e2e::s3::{ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY};

use crate::cluster::{self, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, say};
use crate::tidy;

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
    /// The repository's contract suite, against a real S3 and a real Azure Blob service
    Storage,
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
    if wanted(Stage::Storage) {
        stage("real object stores", storage)?;
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

fn storage() -> Result<()> {
    const BUCKET: &str = "contract";
    let dir = tempfile::tempdir().doing(|| "make a directory for SeaweedFS".to_owned())?;
    let started = S3::start(&pypi::seaweedfs()?, dir.path());
    let service = started.doing(|| "start SeaweedFS".to_owned())?;
    let made = service.create_bucket(BUCKET);
    made.doing(|| "make a bucket in SeaweedFS".to_owned())?;
    let config = serde_json::json!({"backend": {
        "kind": "S3",
        "endpoint": service.endpoint(),
        "region": "us-east-1",
        "bucket": BUCKET,
        "accessKeyId": ACCESS_KEY_ID,
        "secretAccessKey": SECRET_ACCESS_KEY,
    }});
    let dir = tempfile::tempdir().doing(|| "make a directory for Azurite".to_owned())?;
    let started = Azurite::start(&npm::azurite()?, dir.path());
    let azurite = started.doing(|| "start Azurite".to_owned())?;
    let made = azurite.create_container(BUCKET);
    made.doing(|| "make a container in Azurite".to_owned())?;
    let azure = serde_json::json!({"backend": {
        "kind": "AzureBlob",
        "account": ACCOUNT,
        "container": BUCKET,
        "accountKey": ACCOUNT_KEY,
        "endpoint": azurite.endpoint(),
    }});
    cargo(
        &[
            "test",
            "-p",
            "strongroom-repository",
            "--lib",
            "--",
            "tests::contract",
        ],
        &[
            ("STRONGROOM_TEST_S3", config.to_string().into()),
            ("STRONGROOM_TEST_AZURE_BLOB", azure.to_string().into()),
        ],
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
                    "-p",
                    "strongroom-extension",
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
            ("STRONGROOM_E2E_PYTHON", pypi::python_sdk()?),
            ("STRONGROOM_E2E_SEAWEEDFS", pypi::seaweedfs()?),
            ("STRONGROOM_E2E_AZURITE", npm::azurite()?),
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
