//! Container images without Docker: their making, and their loading into nodes.
//!
//! One image is one [`Recipe`]; the file named after it says what is in it. An archive is the form
//! that `docker save` writes and `ctr images import` reads.

mod archive;
mod busybox;
mod debian;
mod libraries;
mod pause;
mod strongroom;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::build;
use super::place::Place;
use super::settings::Programs;
use crate::failure::{Doing, Failure, Result};
use crate::tool;

/// The image that holds a pod's namespaces open; containerd is told this name.
pub(crate) const PAUSE: &str = "localhost/pause:1";
/// The image of test workloads.
pub(crate) const BUSYBOX: &str = "localhost/busybox:1";
/// The image of databases.
pub(crate) const DATABASES: &str = "localhost/databases:1";
/// Where containerd listens, inside of a node.
pub(crate) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// An image that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Recipe {
    /// The product: the binary and the shared libraries that it links
    Strongroom,
    /// Debian's busybox with all of its applets, for test workloads
    Busybox,
    /// What holds a pod's namespaces open
    Pause,
    /// Debian with a MariaDB and a PostgreSQL server (2 to 3 minutes; made when asked for, and for the
    /// end-to-end tests)
    Databases,
}

/// A made image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// What a pod names it by.
    pub reference: String,
    /// The file that holds it.
    pub archive: PathBuf,
}

/// The images that every node has.
pub(crate) fn base(programs: &Programs) -> Result<Vec<PathBuf>> {
    Ok(vec![
        pause::make(programs)?.archive,
        busybox::make()?.archive,
    ])
}

/// Makes an image, unless it is there already. `binary` is the product's, for its image only.
pub(crate) fn make(recipe: Recipe, binary: &Path) -> Result<Image> {
    match recipe {
        Recipe::Strongroom => strongroom::make(binary),
        Recipe::Busybox => busybox::make(),
        Recipe::Pause => pause::make(&build::ensure(super::Tier::Node)?),
        Recipe::Databases => debian::make(),
    }
}

/// Loads an archive into the node that this process is in.
pub(crate) fn import(archive: &Path) -> Result<()> {
    tool::run("ctr", import_arguments(archive)).map(drop)
}

/// Loads an archive into a running node, from outside of it.
pub(crate) fn load(place: &Place, node_pid: u32, archive: &Path) -> Result<()> {
    let doing = || format!("load {} into cluster {}", archive.display(), place.name);
    // nsenter changes to the folder / of the node: a relative path would mean another file.
    let archive = archive.canonicalize().doing(doing)?;
    let ctr = tool::find("ctr")
        .ok_or_else(|| Failure::new(doing(), "there is no `ctr`").way_out("install containerd"))?;
    let target = node_pid.to_string();
    let enter = ["--target", &target, "--net", "--mount", "--pid", "--"];
    let arguments = enter.iter().map(AsRef::as_ref).chain([ctr.as_os_str()]);
    let import = import_arguments(&archive);
    tool::run("nsenter", arguments.chain(import)).map(drop)
}

fn import_arguments(archive: &Path) -> [&OsStr; 7] {
    let words = [
        "--address",
        CONTAINERD_SOCKET,
        "--namespace",
        "k8s.io",
        "images",
        "import",
    ];
    let [a, b, c, d, e, f] = words.map(OsStr::new);
    [a, b, c, d, e, f, archive.as_os_str()]
}

/// Where archives that belong to no work tree are kept.
fn cached(name: &str) -> PathBuf {
    build::cache().join("images").join(name)
}
