//! What is remembered of a cluster between commands, and handed to its processes.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::identity::ProcessIdentity;
use super::place::Place;
use crate::failure::{Doing, Result};

/// How much of a cluster runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tier {
    /// etcd, the API server and the controller manager: objects, but no pod runs
    ControlPlane,
    /// The whole node: pods, services, DNS, CSI volumes and snapshots
    Node,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::ControlPlane => "control-plane",
            Self::Node => "node",
        })
    }
}

/// How a cluster was last started (`cluster.json`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// How much of it runs.
    pub tier: Tier,
    /// The port of its API server on 127.0.0.1.
    pub port: u16,
    /// Whether the caller chose the port; else another may be taken when it is in use.
    pub port_chosen: bool,
    /// Where the node's programs lie.
    pub programs: Programs,
    /// The folder of the CNI plug-ins.
    pub cni_plugins: PathBuf,
    /// Archives of the images that every node has.
    pub images: Vec<PathBuf>,
}

/// The folders of what was built from Go modules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Programs {
    /// etcd, kube-apiserver, …, kubectl.
    pub kubernetes: PathBuf,
    /// csi-loop, the CSI sidecars, pause, and `crds/`: the snapshot CRDs.
    pub storage: PathBuf,
    /// coredns.
    pub dns: PathBuf,
}

impl Settings {
    /// The settings of a cluster's last start; `None` when it was never started.
    pub(crate) fn read(place: &Place) -> Result<Option<Self>> {
        read_json(&place.state.join("cluster.json"))
    }

    /// Remembers the settings.
    pub(crate) fn write(&self, place: &Place) -> Result<()> {
        write_json(&place.state.join("cluster.json"), self)
    }
}

/// The process on whose life the cluster's depends; `None` when the cluster does not run.
pub(crate) fn keeper(place: &Place) -> Option<ProcessIdentity> {
    let keeper: Option<ProcessIdentity> = read_json(&place.state.join("keeper.json")).ok()?;
    keeper.filter(ProcessIdentity::lives)
}

/// Remembers the process on whose life the cluster's depends.
pub(crate) fn remember_keeper(place: &Place, keeper: &ProcessIdentity) -> Result<()> {
    write_json(&place.state.join("keeper.json"), keeper)
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let doing = || format!("read {}", file.display());
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).doing(doing).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(doing),
    }
}

fn write_json(file: &Path, value: &impl Serialize) -> Result<()> {
    let doing = || format!("write {}", file.display());
    let text = serde_json::to_vec_pretty(value).doing(doing)?;
    let next = file.with_extension("next");
    std::fs::write(&next, text).doing(doing)?;
    std::fs::rename(&next, file).doing(doing)
}
