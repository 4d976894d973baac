//! `cargo xtask demo`: protect an application, lose it, get it back, each step with its time.
//!
//! Everything is real and goes the way a user's commands go: a cluster, a server process, the public
//! API over TLS, the extension in the cluster. The steps are those of `strongroom_e2e::stage`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use strongroom_e2e::kubectl::Kubectl;
use strongroom_e2e::process::{self, StageResult};
use strongroom_e2e::sample::SHOP;
use strongroom_e2e::stage::{Expose, INSTANCE, Props, Reach, Stage, VAULT};
use strongroom_e2e::state::State;

use crate::cluster::{self, Tier, UpOptions};
use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, say};
use crate::workspace;

/// The cluster that the demo makes for itself.
const CLUSTER: &str = "demo";

/// What the demo can be told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave the cluster, the server and the application up to explore
    #[arg(long)]
    keep: bool,
    /// Use this cluster instead of starting one; needs --image and --advertise-address
    #[arg(long, requires_all = ["image", "advertise_address"])]
    kubeconfig: Option<PathBuf>,
    /// The image of Strongroom that the given cluster can pull
    #[arg(long)]
    image: Option<String>,
    /// The name or address under which the given cluster's pods reach this machine
    #[arg(long)]
    advertise_address: Option<String>,
}

/// Runs the demo from the first build to the proof.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let binary = product::build()?;
    let total = Stopwatch::start();
    let props = props(arguments, binary)?;
    let directory = workspace::root().join(".strongroom/demo");
    if directory.exists() {
        std::fs::remove_dir_all(&directory)
            .doing(|| format!("remove the last demo in {}", directory.display()))?;
    }
    std::fs::create_dir_all(&directory).doing(|| format!("make {}", directory.display()))?;
    let own_cluster = matches!(props.reach, Reach::Exposed(_));
    let stage = Stage::open_at(props, &directory).doing(|| "set the stage".to_owned())?;
    let played = play(&stage);
    say(format_args!("demo: {} in all, builds apart", total.words()));
    if arguments.keep {
        explain_what_is_up(stage);
    } else {
        drop(stage);
        if own_cluster {
            cluster::down(CLUSTER, true)?;
        }
    }
    played.map(|()| ExitCode::SUCCESS)
}

fn props(arguments: &Arguments, binary: PathBuf) -> Result<Props> {
    if let (Some(kubeconfig), Some(image), Some(address)) = (
        &arguments.kubeconfig,
        &arguments.image,
        &arguments.advertise_address,
    ) {
        let kubectl = Kubectl {
            program: PathBuf::from("kubectl"),
            kubeconfig: kubeconfig.clone(),
        };
        return Ok(Props {
            binary,
            image: image.clone(),
            kubectl,
            reach: Reach::Address(address.clone()),
        });
    }
    let watch = Stopwatch::start();
    let cluster = cluster::up(&UpOptions {
        name: CLUSTER.to_owned(),
        tier: Some(Tier::Node),
        port: None,
    })?;
    let image = cluster.load_strongroom(&binary)?;
    say(format_args!(
        "{:>7}  a real cluster is up, with the image {image}",
        watch.words()
    ));
    let expose = Expose {
        xtask: std::env::current_exe().doing(|| "find this command's own path".to_owned())?,
        cluster: CLUSTER.to_owned(),
    };
    let kubectl = Kubectl {
        program: cluster.kubectl().get_program().into(),
        kubeconfig: cluster.kubeconfig,
    };
    Ok(Props {
        binary,
        image,
        kubectl,
        reach: Reach::Exposed(expose),
    })
}

fn play(stage: &Stage) -> Result<()> {
    if let Some(server) = &stage.server {
        say(format_args!(
            "{:>7.2} s  the server was ready (from the start of its process)",
            server.ready_after.as_secs_f64()
        ));
    }
    let help = Stopwatch::start();
    stage
        .cli
        .run(&["--help"])
        .doing(|| "print the help".to_owned())?;
    say(format_args!(
        "{:>7.3} s  `strongroom --help` answered",
        help.elapsed().as_secs_f64()
    ));

    step("the sample application runs", || {
        SHOP.deploy(&stage.kubectl)
    })?;
    let before = step("its objects are written down", || {
        SHOP.state(&stage.kubectl)
    })?;
    say(format_args!(
        "           {} objects in {} kinds, {} pods ready",
        before.objects.len(),
        before.kinds(),
        ready(stage)?
    ));
    step("resource group, storage, vault and policy are made", || {
        stage.create_vault()
    })?;
    step(
        "the cluster is registered, the extension installed, Trusted Access granted",
        || stage.connect_cluster(),
    )?;
    step("the application is protected by a backup instance", || {
        stage.protect(&SHOP)
    })?;
    let backup = step("a backup is taken", || stage.back_up())?;
    say(format_args!(
        "           job {}: {}",
        backup["name"], backup["properties"]["status"]
    ));
    step(
        "THE APPLICATION IS LOST: namespace, CRD and cluster roles deleted",
        || SHOP.lose(&stage.kubectl),
    )?;
    step("the restore is validated (nothing is changed)", || {
        validate(stage)
    })?;
    let restore = step("the newest recovery point is restored", || {
        stage.restore(&[])
    })?;
    say(format_args!(
        "           job {}: {}",
        restore["name"], restore["properties"]["status"]
    ));
    step("every workload is rolled out again", || {
        stage.kubectl.wait_rolled_out(SHOP.namespace)
    })?;
    let after = step("the objects are compared", || SHOP.state(&stage.kubectl))?;
    prove(stage, &before, &after)
}

fn validate(stage: &Stage) -> StageResult<()> {
    let point = stage.recovery_points()?.into_iter().next();
    let point = point.ok_or_else(|| {
        process::StageError::Unexpected("the backup left no recovery point".to_owned())
    })?;
    stage
        .cli
        .run(&[
            "restore",
            "validate",
            INSTANCE,
            "--vault",
            VAULT,
            "--recovery-point",
            &point,
        ])
        .map(drop)
}

fn prove(stage: &Stage, before: &State, after: &State) -> Result<()> {
    let differences = before.differences(after);
    let ready = ready(stage)?;
    if differences.is_empty() && ready > 0 {
        say(format_args!(
            "proved: all {} objects are equal to what they were, {ready} pods are ready",
            before.objects.len()
        ));
        return Ok(());
    }
    let told = differences
        .iter()
        .map(|line| format!("\n  {line}"))
        .collect::<String>();
    Err(Failure::new(
        "prove that the application came back",
        format!(
            "{} differences, {ready} pods ready{told}",
            differences.len()
        ),
    ))
}

fn ready(stage: &Stage) -> Result<usize> {
    SHOP.ready_pods(&stage.kubectl)
        .doing(|| "count the ready pods".to_owned())
}

fn step<T>(what: &str, act: impl FnOnce() -> StageResult<T>) -> Result<T> {
    let watch = Stopwatch::start();
    let done = act().doing(|| format!("go on with the demo ({what})"))?;
    say(format_args!("{:>7}  {what}", watch.words()));
    Ok(done)
}

fn explain_what_is_up(stage: Stage) {
    let config = stage.cli.config.display().to_string();
    let kubeconfig = stage.kubectl.kubeconfig.display().to_string();
    say("left up to explore:");
    say(format_args!(
        "  export STRONGROOM_CLI_CONFIG={config} KUBECONFIG={kubeconfig}"
    ));
    say(format_args!(
        "  {} vault list        # and job list, recovery-point list, …",
        stage.cli.binary.display()
    ));
    say(format_args!(
        "  {} get all -n {}",
        stage.kubectl.program.display(),
        SHOP.namespace
    ));
    if let Some(server) = &stage.server {
        say(format_args!(
            "  the server is process {}; stop it with: kill {}",
            server.id(),
            server.id()
        ));
    }
    say("  cargo xtask cluster down --name demo --wipe   # when you have seen enough");
    // The server outlives the demo: its handle must not be dropped, which would kill it.
    std::mem::forget(stage);
}
