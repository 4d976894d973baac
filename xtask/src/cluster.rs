//! The project's own real Kubernetes on one machine: `cargo xtask cluster …`, and the same for the
//! other commands of this crate ([`up`], [`down`], [`Cluster`]).
//!
//! A cluster is one process tree in namespaces of its own (network, mounts, processes), built from
//! Go modules, with no image to pull and no daemon to run. Several stand side by side. See
//! `docs/design/test-cluster.md`.

mod build;
mod certificates;
mod cgroups;
mod control;
mod down;
mod identity;
mod images;
mod keeper;
mod loops;
mod network;
mod node;
mod packages;
mod place;
mod relay;
mod settings;
mod status;
mod up;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Subcommand;

use self::place::Place;
use self::settings::Settings;
use crate::failure::{Doing, Failure, Result};
use crate::{talk, tool, workspace};

pub(crate) use self::build::{cache, velero};
pub(crate) use self::down::down;
pub(crate) use self::images::{Recipe, make as make_image};
pub(crate) use self::packages::ensure_tool;
pub(crate) use self::settings::Tier;
pub(crate) use self::up::up;

/// The cluster that is meant when none is named.
pub(crate) const DEFAULT_NAME: &str = "dev";

/// Arguments of `cargo xtask cluster`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start a cluster, or find it running
    Up(UpOptions),
    /// Stop a cluster
    Down {
        /// The cluster
        #[arg(long, default_value = DEFAULT_NAME)]
        name: String,
        /// Remove its state as well: objects, volumes, images
        #[arg(long)]
        wipe: bool,
    },
    /// List the clusters of this work tree
    Status,
    /// Run kubectl on a cluster: `cluster kubectl -- get pods -A`
    Kubectl {
        /// The cluster
        #[arg(long, default_value = DEFAULT_NAME)]
        name: String,
        /// What kubectl is told
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Make container images, load them into the running clusters and print their references
    Image {
        /// The images; all that are quick to make when none is named
        names: Vec<Recipe>,
        /// The binary for the image `strongroom` [default: target/debug/strongroom]
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Load into this cluster only [default: all that run]
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Let pods reach a server that listens on this machine's 127.0.0.1:PORT, as 10.99.0.1:PORT
    #[command(
        after_help = "Start the server with `--advertise-url https://10.99.0.1:PORT`. It lasts until the cluster ends."
    )]
    Expose {
        /// The cluster
        #[arg(long, default_value = DEFAULT_NAME)]
        name: String,
        /// The port of the server
        #[arg(long)]
        port: u16,
    },
    /// The process that a cluster hangs on (started by `up`)
    #[command(hide = true)]
    Keeper {
        #[arg(long)]
        state: PathBuf,
    },
    /// The first process inside of a node (started by the keeper)
    #[command(hide = true)]
    Inside {
        #[arg(long)]
        state: PathBuf,
    },
}

/// How a cluster is to be started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UpOptions {
    /// The cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    pub name: String,
    /// The API server's port on 127.0.0.1 [default: that of the last start, else a free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// How much of it runs [default: that of the last start, else node]
    #[arg(long)]
    pub tier: Option<Tier>,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            port: None,
            tier: None,
        }
    }
}

/// A cluster that runs, or ran when it was last looked at.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Its name.
    pub name: String,
    /// How much of it runs.
    pub tier: Tier,
    /// A kubeconfig of its administrator.
    pub kubeconfig: PathBuf,
    place: Place,
    kubectl: PathBuf,
}

/// Does what `cargo xtask cluster …` was told.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.verb {
        Verb::Up(options) => {
            let cluster = up(&options)?;
            talk::data(format_args!(
                "export KUBECONFIG={}",
                cluster.kubeconfig.display()
            ));
        }
        Verb::Down { name, wipe } => down(&name, wipe)?,
        Verb::Status => status::print()?,
        Verb::Kubectl { name, arguments } => {
            return Err(Cluster::find(&name)?.become_kubectl(&arguments));
        }
        Verb::Image {
            names,
            binary,
            cluster,
        } => make_images(&names, binary, cluster.as_deref())?,
        Verb::Expose { name, port } => talk::data(Cluster::find(&name)?.expose(port)?),
        Verb::Keeper { state } => keeper::run(&Place::at(&state)?)?,
        Verb::Inside { state } => node::run(&Place::at(&state)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Cluster {
    /// A cluster by its name; an error when it does not run.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let place = Place::of(name)?;
        match (settings::keeper(&place), Settings::read(&place)?) {
            (Some(_), Some(settings)) => Ok(Self::of(&place, &settings)),
            _ => Err(
                Failure::new(format!("use cluster {name}"), "it does not run")
                    .way_out(format!("`cargo xtask cluster up --name {name}`")),
            ),
        }
    }

    /// The clusters of this work tree that run.
    pub(crate) fn all_running() -> Vec<Self> {
        Place::all()
            .iter()
            .filter_map(|place| Self::find(&place.name).ok())
            .collect()
    }

    /// Lets pods reach a server that listens on this machine's 127.0.0.1, until the cluster ends.
    /// Returns the address that they reach it by, as in "10.99.0.1:8443": the server is to be started
    /// with `--advertise-url https://` and this address. Exposing a port again changes nothing.
    pub(crate) fn expose(&self, port: u16) -> Result<String> {
        control::ask(&self.place, &format!("expose {port}"))
    }

    /// Loads an image's archive (as `docker save` writes it) into the node.
    pub(crate) fn load_image(&self, archive: &Path) -> Result<()> {
        let doing = || format!("load {} into cluster {}", archive.display(), self.name);
        if self.tier == Tier::ControlPlane {
            return Err(Failure::new(
                doing(),
                "it runs the control plane only, which has no containers",
            ));
        }
        need_root(&doing())?;
        let node = down::node_pids(&self.place);
        let pid = node
            .first()
            .ok_or_else(|| Failure::new(doing(), "its node has ended"))?;
        images::load(&self.place, *pid, archive)
    }

    /// Makes the image of the built binary and loads it; returns its reference.
    pub(crate) fn load_strongroom(&self, binary: &Path) -> Result<String> {
        let image = images::make(Recipe::Strongroom, binary)?;
        self.load_image(&image.archive)?;
        Ok(image.reference)
    }

    /// Makes the image of the databases and loads it, unless the node has had it already.
    pub(crate) fn load_databases(&self) -> Result<()> {
        let image = images::make(Recipe::Databases, Path::new(""))?;
        let loaded = self.place.state.join("databases.loaded");
        let name = image.archive.to_string_lossy();
        if tool::text_of(&loaded) == name {
            return Ok(());
        }
        self.load_image(&image.archive)?;
        std::fs::write(&loaded, name.as_bytes())
            .doing(|| format!("remember what was loaded in {}", loaded.display()))
    }

    /// The folder of all that the cluster keeps.
    pub(crate) fn state(&self) -> &Path {
        &self.place.state
    }

    /// kubectl for this cluster, ready for its arguments.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
    }

    fn of(place: &Place, settings: &Settings) -> Self {
        Self {
            name: place.name.clone(),
            tier: settings.tier,
            kubeconfig: place.kubeconfig(),
            place: place.clone(),
            kubectl: settings.programs.kubernetes.join("kubectl"),
        }
    }

    /// Asks the API server whether it is ready, the way that users take.
    fn check(&self) -> Result<()> {
        tool::output(self.kubectl().args(["get", "--raw", "/readyz"])).map(drop)
    }

    /// Becomes kubectl; returns only when that fails.
    fn become_kubectl(&self, arguments: &[String]) -> Failure {
        let error = self.kubectl().args(arguments).exec();
        Failure::new(format!("run {}", self.kubectl.display()), error)
    }
}

fn make_images(names: &[Recipe], binary: Option<PathBuf>, cluster: Option<&str>) -> Result<()> {
    let binary = binary.unwrap_or_else(|| workspace::root().join("target/debug/strongroom"));
    let clusters = match cluster {
        Some(name) => vec![Cluster::find(name)?],
        None => Cluster::all_running(),
    };
    let quick = [Recipe::Strongroom, Recipe::Busybox, Recipe::Pause];
    let names = if names.is_empty() { &quick[..] } else { names };
    for name in names {
        let image = make_image(*name, &binary)?;
        for cluster in clusters.iter().filter(|cluster| cluster.tier == Tier::Node) {
            cluster.load_image(&image.archive)?;
            talk::say(format_args!(
                "loaded {} into cluster {}",
                image.reference, cluster.name
            ));
        }
        talk::say(format_args!("archive: {}", image.archive.display()));
        talk::data(&image.reference);
    }
    Ok(())
}

fn need_root(doing: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let cause = "it needs root, for namespaces, mounts, cgroups and loop devices";
    Err(Failure::new(doing, cause)
        .way_out("run it as root: `sudo -E env \"PATH=$PATH\" cargo xtask cluster …`"))
}
