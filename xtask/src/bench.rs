//! `cargo xtask bench`: what the product takes, as ratios to what the same machine allows in the same
//! run.
//!
//! The benchmark measures programs of the release profile, itself included: called in another profile
//! it builds both and hands over.

mod control_plane;
mod job;
mod machine;
mod metrics;
mod mix;
mod outside;
mod processes;
mod raw;
mod report;
mod resources;
mod setting;
mod velero;
mod volumes;

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Args, Subcommand, ValueEnum};

use self::machine::Machine;
use self::setting::Setting;
use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, say};
use crate::workspace;

/// Arguments of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Backup and restore of many objects, beside what the API server allows
    Resources(Options),
    /// Backups of volumes, beside what their driver takes, and what is left under kills
    Volumes(VolumeOptions),
    /// A large catalogue and many clients: answers, CPU, memory
    ControlPlane(ControlPlaneOptions),
    /// Moves into a cgroup and becomes a program (started by the benchmark)
    #[command(hide = true)]
    Inside {
        #[arg(long)]
        cgroup: PathBuf,
        #[arg(last = true)]
        program: Vec<String>,
    },
}

/// A product beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Velero, built from its Go module, with an S3 store on this machine
    Velero,
}

/// Objects up to which the peer is measured: at the 25 to 40 a second that Velero restores, 100,000 would
/// take most of an hour.
const PEER_OBJECTS: usize = 10_000;

/// What the benchmark of resources can be told.
#[derive(Args)]
struct Options {
    /// How many objects; several times for several sizes
    #[arg(long, default_values_t = [10_000])]
    objects: Vec<usize>,
    /// Measure this product too, in the same run, up to 10,000 objects (the first time it is built, which
    /// takes minutes)
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Write the figures to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Leave the cluster up
    #[arg(long)]
    keep: bool,
    /// Write the section of docs/benchmarks.md
    #[arg(long)]
    write_docs: bool,
    /// Measure this binary instead of building one in the release profile
    #[arg(long)]
    binary: Option<PathBuf>,
    /// How much of it to measure
    #[arg(long, value_enum, default_value = "all", conflicts_with = "write_docs")]
    part: resources::Part,
    /// Build without link-time optimisation: minutes quicker, for a first look only
    #[arg(long)]
    without_lto: bool,
}

/// What the benchmark of volumes can be told.
#[derive(Args)]
struct VolumeOptions {
    /// How often server and extension are killed (the bar of issue 5 is for 500)
    #[arg(long, default_value_t = 40)]
    kills: u32,
    /// Write the figures to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Leave the cluster up
    #[arg(long)]
    keep: bool,
    /// Write the section of docs/benchmarks.md
    #[arg(long)]
    write_docs: bool,
    /// Measure this binary instead of building one in the release profile
    #[arg(long)]
    binary: Option<PathBuf>,
    /// How much of it to measure
    #[arg(long, value_enum, default_value = "all", conflicts_with = "write_docs")]
    part: volumes::Part,
}

/// What the benchmark of the control plane can be told.
#[derive(Args)]
struct ControlPlaneOptions {
    /// On which database; without it on each
    #[arg(long, value_enum)]
    store: Option<control_plane::Store>,
    /// Backup instances in the catalogue
    #[arg(long, default_value_t = 10_000)]
    instances: usize,
    /// Recovery points in the catalogue
    #[arg(long, default_value_t = 1_000_000)]
    points: usize,
    /// Calls of each kind that are timed one by one
    #[arg(long, default_value_t = 1_000)]
    calls: usize,
    /// Clients at the same time
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// For how long they ask
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Write the figures to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the section of docs/benchmarks.md
    #[arg(long)]
    write_docs: bool,
    /// Measure this binary instead of building one in the release profile
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Build without link-time optimisation: minutes quicker, for a first look only
    #[arg(long)]
    without_lto: bool,
}

impl ControlPlaneOptions {
    /// The command that measures the same again.
    fn command(&self) -> String {
        let mut command = control_plane::SHEET.command.to_owned();
        let told = [
            (self.instances, 10_000, "instances"),
            (self.points, 1_000_000, "points"),
            (self.clients, 1_000, "clients"),
        ];
        for (given, default, name) in told {
            if given != default {
                command.push_str(&format!(" --{name} {given}"));
            }
        }
        command
    }
}

impl Options {
    /// The command that measures the same again.
    fn command(&self) -> String {
        let mut command = "cargo xtask bench resources".to_owned();
        for objects in &self.objects {
            command.push_str(&format!(" --objects {objects}"));
        }
        if self.peer.is_some() {
            command.push_str(" --peer velero");
        }
        command
    }
}

/// Does what `cargo xtask bench …` was told.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.what {
        What::Resources(options) => bench_resources(&options),
        What::Volumes(options) => bench_volumes(&options),
        What::ControlPlane(options) => bench_control_plane(&options),
        What::Inside { cgroup, program } => Err(processes::become_inside(&cgroup, &program)),
    }
}

fn bench_resources(options: &Options) -> Result<ExitCode> {
    let Some(binary) = &options.binary else {
        return Err(hand_over(options.without_lto)?);
    };
    // Clients of TLS need one cryptography for the process; nothing else here installs one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _lock = lock()?;
    let measured = measure(options, binary);
    if !options.keep {
        setting::clear()?;
    }
    measured.map(|()| ExitCode::SUCCESS)
}

fn bench_volumes(options: &VolumeOptions) -> Result<ExitCode> {
    let Some(binary) = &options.binary else {
        return Err(hand_over(false)?);
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _lock = lock()?;
    let measured = measure_volumes(options, binary);
    if !options.keep {
        volumes::clear()?;
    }
    measured.map(|()| ExitCode::SUCCESS)
}

fn bench_control_plane(options: &ControlPlaneOptions) -> Result<ExitCode> {
    let Some(binary) = &options.binary else {
        return Err(hand_over(options.without_lto)?);
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _lock = lock()?;
    let machine = Machine::look(options.without_lto).measuring(binary);
    control_plane::clear()?;
    let size = control_plane::Size {
        instances: options.instances,
        points: options.points,
        calls: options.calls,
        clients: options.clients,
        seconds: options.seconds,
    };
    let stores = match options.store {
        Some(store) => vec![store],
        None => control_plane::Store::value_variants().to_vec(),
    };
    let all = stores
        .into_iter()
        .map(|store| control_plane::run(binary, store, size));
    let all = all.collect::<Result<Vec<_>>>()?;
    report::print(&control_plane::SHEET, &all);
    if let Some(file) = &options.json {
        let worst = report::Figures::worst(&control_plane::SHEET, &all);
        report::write_json_with(Some(&worst), &all, file)?;
    }
    if options.write_docs {
        let about = control_plane::about(&machine.sentence_without_cluster(&options.command()));
        let section = report::markdown(&control_plane::SHEET, &all, &about);
        report::write_markdown(&control_plane::SHEET, &section)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_volumes(options: &VolumeOptions, binary: &Path) -> Result<()> {
    let mut machine = Machine::look(false).measuring(binary);
    let mut place = volumes::Place::open(binary)?;
    machine.ask(&place.raw);
    let all = [volumes::run(&mut place, options.part, options.kills)?];
    report::print(&volumes::SHEET, &all);
    if let Some(file) = &options.json {
        report::write_json(&all, file)?;
    }
    if options.write_docs {
        let command = format!("{} --kills {}", volumes::SHEET.command, options.kills);
        let about = volumes::about(&machine.sentence(&command));
        let section = report::markdown(&volumes::SHEET, &all, &about);
        report::write_markdown(&volumes::SHEET, &section)?;
    }
    Ok(())
}

/// Keeps two benchmarks from running at once: they would share a cluster, and measure each other. Held
/// until it is dropped.
fn lock() -> Result<File> {
    let doing = || "lock the benchmark".to_owned();
    let folder = workspace::root().join(".strongroom");
    std::fs::create_dir_all(&folder).doing(doing)?;
    let lock = File::create(folder.join("bench.lock")).doing(doing)?;
    if lock.try_lock().is_err() {
        say("another benchmark is running; waiting for its end");
        lock.lock().doing(doing)?;
    }
    Ok(lock)
}

fn measure(options: &Options, binary: &Path) -> Result<()> {
    if cfg!(debug_assertions) {
        say("note: this command is a debug build, so the raw client is slower than it could be");
    }
    let mut all = Vec::new();
    let mut machine = Machine::look(options.without_lto);
    for objects in &options.objects {
        let watch = Stopwatch::start();
        let mut setting = Setting::open(binary)?;
        machine.ask(&setting.raw);
        let mut peer = match options.peer {
            Some(Peer::Velero) if *objects <= PEER_OBJECTS => {
                Some(velero::Velero::prepare(setting.folder())?)
            }
            _ => None,
        };
        all.push(resources::run(
            &mut setting,
            *objects,
            options.part,
            peer.as_mut(),
        )?);
        say(format_args!("== {objects} objects: {}", watch.words()));
    }
    report::compare_sizes(&mut all);
    report::print(&report::RESOURCES, &all);
    if let Some(file) = &options.json {
        report::write_json(&all, file)?;
    }
    if options.write_docs {
        let about = machine.sentence(&options.command());
        report::write_markdown(
            &report::RESOURCES,
            &report::markdown(&report::RESOURCES, &all, &about),
        )?;
    }
    Ok(())
}

/// Builds product and benchmark in the release profile and becomes the latter; returns only when that
/// fails.
fn hand_over(without_lto: bool) -> Result<Failure> {
    let (binary, own) = build(without_lto)?;
    let mut command = Command::new(own);
    command.args(std::env::args_os().skip(1));
    command.arg("--binary").arg(binary);
    Ok(Failure::new("start the benchmark", command.exec()))
}

fn build(without_lto: bool) -> Result<(PathBuf, PathBuf)> {
    let watch = Stopwatch::start();
    say(
        "building strongroom and the benchmark in the release profile (the first time takes many minutes) …",
    );
    let mut command = product::cargo();
    command.args([
        "build",
        "--release",
        "--package",
        "strongroom",
        "--package",
        "xtask",
    ]);
    command.arg("--message-format=json-render-diagnostics");
    if without_lto {
        command.args(["--config", "profile.release.lto=false"]);
    }
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.doing(|| "start cargo".to_owned())?;
    if !output.status.success() {
        return Err(Failure::new("build strongroom", output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let find = |name: &str| {
        executables(&messages)
            .find(|path| path.file_name().is_some_and(|file| file == name))
            .ok_or_else(|| {
                Failure::new(
                    format!("find the {name} that was built"),
                    "cargo named none",
                )
            })
    };
    let built = (find("strongroom")?, find("xtask")?);
    say(format_args!("{:>8}  both are built", watch.words()));
    Ok(built)
}

fn executables(messages: &str) -> impl Iterator<Item = PathBuf> {
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    parsed.filter_map(|message| message["executable"].as_str().map(PathBuf::from))
}
