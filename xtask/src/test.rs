//! `cargo xtask test`: every test there is, the fast ones first, the real cluster last.

mod end_to_end;
mod go;
mod harness;
mod npm;
pub(crate) mod pypi;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use strongroom_e2e::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use strongroom_e2e::postgres::{self, Postgres};
use strongroom_e2e::s3::{ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY};

use self::end_to_end::Scenarios;
use crate::cluster::{self, Cluster, Recipe, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::fuzz;
use crate::product;
use crate::talk::{Stopwatch, data, say};
use crate::tidy;
use crate::workspace;

/// The cluster of the tests of what speaks to an API server.
const API_SERVER_CLUSTER: &str = "test-api";

/// What the tests can be told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Run these stages only
    #[arg(long, value_enum)]
    only: Vec<Stage>,
    /// Leave the test clusters up, for a quicker next run
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
    /// The server's tests once more, with its store in a real PostgreSQL
    Database,
    /// The API, by its own document and beyond it, against a real server
    Fuzz,
    /// What speaks to a Kubernetes API server, against a real one
    Cluster,
    /// End to end: the command line, the server, the extension in a real cluster
    E2e,
}

/// Runs all stages, or those that were named; ends at the first that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    std::thread::scope(|scope| {
        if arguments.only.is_empty() {
            // The image of databases takes minutes on a new machine, most of them waiting for packages.
            // Where it is needed it is asked for again: that waits for this, and tells what failed.
            scope.spawn(|| cluster::make_image(Recipe::Databases, Path::new("")));
        }
        stages(arguments)
    })
}

fn stages(arguments: &Arguments) -> Result<ExitCode> {
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
            cargo(
                &["test", "--workspace", "--exclude", "strongroom-e2e"],
                &[],
                Output::Shown,
            )
        })?;
    }
    if wanted(Stage::Storage) {
        stage("real object stores", storage)?;
    }
    if wanted(Stage::Database) {
        stage("real database", database)?;
    }
    if wanted(Stage::Fuzz) {
        stage("fuzz the API", fuzz)?;
    }
    if wanted(Stage::Cluster) || wanted(Stage::E2e) {
        on_clusters(arguments, wanted(Stage::Cluster), wanted(Stage::E2e))?;
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
    cargo(&["fmt", "--all", "--check"], &[], Output::Shown)?;
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
        Output::Shown,
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
    unit_tests(
        "strongroom_repository",
        &["tests::contract"],
        &[
            ("STRONGROOM_TEST_S3", config.to_string()),
            ("STRONGROOM_TEST_AZURE_BLOB", azure.to_string()),
        ],
    )
}

fn database() -> Result<()> {
    if postgres::programs().is_none() {
        cluster::ensure_tool("pg_ctlcluster", "postgresql", "is a database of the tests")?;
    }
    let dir = tempfile::tempdir().doing(|| "make a directory for PostgreSQL".to_owned())?;
    let started = Postgres::start(&dir.path().join("postgresql"));
    let service = started.doing(|| "start PostgreSQL".to_owned())?;
    unit_tests(
        "strongroom_server",
        &[],
        &[("STRONGROOM_TEST_POSTGRES", service.url())],
    )
}

/// A short run with a fixed seed; `cargo xtask fuzz api` is the long one.
fn fuzz() -> Result<()> {
    const SECONDS: u64 = 30;
    const SEED: u64 = 1;
    let schemathesis = pypi::schemathesis()?;
    let binary = product::build_with_tests()?;
    fuzz::api::fuzz(&binary, &schemathesis, SECONDS, SEED)
}

/// Runs the unit tests of one crate, or those that match, with services that they ask for by variables.
fn unit_tests(library: &str, filters: &[&str], env: &[(&str, String)]) -> Result<()> {
    let program = product::tests_of(library)?;
    let mut command = Command::new(&program);
    command.args(filters).current_dir(workspace::root());
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let status = command
        .status()
        .doing(|| format!("start {}", program.display()))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("pass the tests of {library}"), status))
}

/// What needs a cluster. Both stages run beside each other, each on clusters of its own: most of their time
/// is waiting for them.
fn on_clusters(arguments: &Arguments, api_server: bool, end_to_end: bool) -> Result<()> {
    let tested = test_on_clusters(arguments, api_server, end_to_end);
    if !arguments.keep {
        if api_server {
            cluster::down(API_SERVER_CLUSTER, true)?;
        }
        if end_to_end {
            end_to_end::down()?;
        }
    }
    tested
}

fn test_on_clusters(arguments: &Arguments, api_server: bool, end_to_end: bool) -> Result<()> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    // All is built before anything measures its patience.
    let scenarios = end_to_end
        .then(|| Scenarios::matching(filter))
        .transpose()?;
    // With a filter, all that is wanted may be among the tests on an API server.
    let may_be_none = api_server && !filter.is_empty();
    if !may_be_none && scenarios.as_ref().is_some_and(Scenarios::are_none) {
        let cause = format!("none has {filter:?} in its name");
        return Err(Failure::new("find an end-to-end scenario", cause)
            .way_out("their names are those of the tests in tests/e2e/tests/scenarios"));
    }
    let one = api_server.then(|| up(API_SERVER_CLUSTER)).transpose()?;
    let clusters = scenarios.as_ref().map(Scenarios::clusters).transpose()?;
    let output = if end_to_end {
        Output::AtTheEnd
    } else {
        Output::Shown
    };
    std::thread::scope(|scope| {
        let one = one.map(|up| scope.spawn(move || on_an_api_server(&up, filter, output)));
        let second = scenarios
            .zip(clusters)
            .map_or(Ok(()), |(scenarios, clusters)| scenarios.run(&clusters));
        let first = one.map_or(Ok(()), |stage| {
            stage.join().unwrap_or_else(|_panicked| {
                Err(Failure::new("test on a real API server", "it panicked"))
            })
        });
        if let (Err(first), Err(_)) = (&first, &second) {
            say(format_args!("error: {first}"));
        }
        second.and(first)
    })
}

fn up(name: &str) -> Result<Cluster> {
    stage(&format!("start a real cluster, {name}"), || {
        cluster::up(&UpOptions {
            name: name.to_owned(),
            tier: Some(Tier::Node),
            port: None,
        })
    })
}

fn on_an_api_server(up: &Cluster, filter: &str, output: Output) -> Result<()> {
    let env = [
        ("STRONGROOM_TEST_KUBECONFIG", up.kubeconfig.clone()),
        (
            "STRONGROOM_TEST_XTASK",
            std::env::current_exe().doing(|| "find this command's own path".to_owned())?,
        ),
        ("STRONGROOM_TEST_CLUSTER", API_SERVER_CLUSTER.into()),
    ];
    stage("real API server", || {
        cargo(
            &[
                "test",
                "--workspace",
                "--test",
                "real_api_server",
                "--",
                "--test-threads=1",
                filter,
            ],
            &env,
            output,
        )
    })
}

/// When a command's output is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// As it comes.
    Shown,
    /// In one piece once it has ended, because another command talks meanwhile.
    AtTheEnd,
}

fn cargo(words: &[&str], env: &[(&str, PathBuf)], output: Output) -> Result<()> {
    let mut command: Command = product::cargo();
    command.args(words.iter().filter(|word| !word.is_empty()));
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let doing = || "start cargo".to_owned();
    let mut failures = String::new();
    let status = match output {
        Output::Shown => command.status().doing(doing)?,
        Output::AtTheEnd => {
            let told = command.output().doing(doing)?;
            let printed = String::from_utf8_lossy(&told.stdout);
            say(String::from_utf8_lossy(&told.stderr));
            data(&printed);
            failures = harness::reports_in(&printed).unwrap_or_default().to_owned();
            told.status
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(
        format!("pass `cargo {}`", words.join(" ")),
        format_args!("{status}\n{failures}"),
    ))
}

fn stage<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    say(format_args!("== {name}"));
    let watch = Stopwatch::start();
    let done = run()?;
    say(format_args!("== {name}: {}", watch.words()));
    Ok(done)
}
