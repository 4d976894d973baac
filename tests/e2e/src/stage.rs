//! The whole stage: a server connected to a cluster, with a vault that protects the sample application.
//!
//! Every step goes through the command line and so through the public API. The steps are the same
//! for the demo (which prints each with its time) and for the tests (which do not).

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::Cli;
use crate::kubectl::Kubectl;
use crate::process::{self, StageError, StageResult};
use crate::sample::{self, Application};
use crate::server::{self, Server, ServerOptions};

/// The cluster as it is registered.
pub const CLUSTER: &str = "main";
/// The backup vault of the stage.
pub const VAULT: &str = "store-room";
/// The backup policy of the stage.
pub const POLICY: &str = "every-four-hours";
/// The backup instance that protects the sample application.
pub const INSTANCE: &str = "shop";
/// The storage account of the stage.
pub const ACCOUNT: &str = "shopbackups";
/// The blob container of the stage.
pub const CONTAINER: &str = "recovery-points";
/// The resource group of everything.
pub const GROUP: &str = "production";
/// The location of everything.
pub const LOCATION: &str = "westeurope";
/// The subscription of everything.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// What the stage is built from.
#[derive(Debug, Clone)]
pub struct Props {
    /// The `strongroom` binary.
    pub binary: PathBuf,
    /// The reference of the image that holds the same binary, already known to the cluster's node.
    pub image: String,
    /// The cluster, as its administrator reaches it.
    pub kubectl: Kubectl,
    /// How pods reach the server.
    pub reach: Reach,
}

/// How pods of the cluster reach a server that runs on this machine.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Through a relay into a cluster of `cargo xtask cluster`; the server listens on 127.0.0.1 only.
    Exposed(Expose),
    /// Directly, under this name or address of the machine; the server listens on all its addresses.
    Address(String),
}

/// How pods of a test cluster come to reach a port of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct Expose {
    /// The `xtask` binary.
    pub xtask: PathBuf,
    /// The cluster's name.
    pub cluster: String,
}

impl Props {
    /// Reads the props from the environment that `cargo xtask test` sets.
    pub fn from_environment() -> StageResult<Self> {
        let read = |name: &str| {
            std::env::var(name).map_err(|_unset| {
                StageError::Unexpected(format!(
                    "{name} is not set: run the end-to-end tests with `cargo xtask test --only e2e`"
                ))
            })
        };
        let kubectl = Kubectl {
            program: read("STRONGROOM_E2E_KUBECTL")?.into(),
            kubeconfig: read("STRONGROOM_E2E_KUBECONFIG")?.into(),
        };
        let expose = Expose {
            xtask: read("STRONGROOM_E2E_XTASK")?.into(),
            cluster: read("STRONGROOM_E2E_CLUSTER")?,
        };
        Ok(Self {
            binary: read("STRONGROOM_E2E_BINARY")?.into(),
            image: read("STRONGROOM_E2E_IMAGE")?,
            kubectl,
            reach: Reach::Exposed(expose),
        })
    }
}

/// A server on a cluster, with the command line logged in to it.
#[derive(Debug)]
pub struct Stage {
    /// What the stage was built from.
    pub props: Props,
    /// The command line.
    pub cli: Cli,
    /// The cluster.
    pub kubectl: Kubectl,
    /// The running server.
    pub server: Option<Server>,
    dir: Dir,
}

#[derive(Debug)]
enum Dir {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Stage {
    /// Starts a server in a temporary directory that goes when the stage goes.
    pub fn open(props: Props, env: &[(&str, &str)]) -> StageResult<Self> {
        let dir = tempfile::Builder::new()
            .prefix("strongroom-stage-")
            .tempdir()
            .map_err(|source| StageError::File {
                what: "making a directory for the stage".to_owned(),
                source,
            })?;
        Self::open_in(props, Dir::Temporary(dir), env)
    }

    /// Starts a server whose data stay in `dir`.
    pub fn open_at(props: Props, dir: &Path) -> StageResult<Self> {
        Self::open_in(props, Dir::Kept(dir.to_owned()), &[])
    }

    fn open_in(props: Props, dir: Dir, env: &[(&str, &str)]) -> StageResult<Self> {
        let port = server::free_port()?;
        let listen = match &props.reach {
            Reach::Exposed(_) => "127.0.0.1",
            Reach::Address(_) => "0.0.0.0",
        };
        let reached_by = props.reach.of_port(port)?;
        let options = ServerOptions {
            binary: props.binary.clone(),
            data_dir: dir.path().join("server"),
            listen: listen.to_owned(),
            port,
            advertise_url: format!("https://{reached_by}"),
            config: None,
            env: env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let server = Server::start(options)?;
        let cli = Cli {
            binary: props.binary.clone(),
            config: dir.path().join("contexts.yaml"),
        };
        let stage = Self {
            cli,
            kubectl: props.kubectl.clone(),
            props,
            server: Some(server),
            dir,
        };
        stage.login()?;
        Ok(stage)
    }

    /// The folder of everything that the stage keeps.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("server")
    }

    /// The running server; an error when a test has stopped it.
    pub fn server(&mut self) -> StageResult<&mut Server> {
        self.server.as_mut().ok_or_else(|| {
            StageError::Unexpected("the server of this stage was stopped".to_owned())
        })
    }

    /// Kills the server and starts it again on the same data, with this further environment only.
    pub fn restart_server(&mut self, env: &[(&str, &str)]) -> StageResult<()> {
        let mut server = self.server.take().ok_or_else(|| {
            StageError::Unexpected("the server of this stage was stopped".to_owned())
        })?;
        server.options.env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.server = Some(server.restart()?);
        Ok(())
    }

    /// Logs the command line in with the token that the server's first start wrote.
    pub fn login(&self) -> StageResult<()> {
        let url = self.server.as_ref().map(Server::url).unwrap_or_default();
        self.cli.log_in(&url, &self.data_dir(), "stage")
    }

    /// Makes the group, the server's own storage and the vault with its policy.
    pub fn create_vault(&self) -> StageResult<()> {
        self.create_vault_on(&["--backend", "embedded"])
    }

    /// The same on storage that these options of `storage account create` describe.
    pub fn create_vault_on(&self, backend: &[&str]) -> StageResult<()> {
        self.cli.run(&["group", "create", GROUP])?;
        let account = ["storage", "account", "create", ACCOUNT];
        self.cli.run(&[&account, backend].concat())?;
        self.cli.run(&[
            "storage",
            "container",
            "create",
            CONTAINER,
            "--account",
            ACCOUNT,
        ])?;
        self.cli.run(&["vault", "create", VAULT])?;
        self.create_policy(POLICY)
    }

    /// Makes a policy whose schedule stays silent.
    pub fn create_policy(&self, name: &str) -> StageResult<()> {
        self.cli
            .run(&[
                "policy",
                "create",
                name,
                "--vault",
                VAULT,
                "--interval",
                "PT4H",
                "--retention",
                "P7D",
                // In another century: no backup comes by itself in the middle of a scenario.
                "--start",
                "2100-01-01T00:00:00+00:00",
            ])
            .map(drop)
    }

    /// Registers the cluster, installs the extension and grants the vault Trusted Access.
    pub fn connect_cluster(&self) -> StageResult<()> {
        self.connect_cluster_as(&self.kubectl.kubeconfig)
    }

    /// The same through another kubeconfig of the same cluster.
    pub fn connect_cluster_as(&self, kubeconfig: &Path) -> StageResult<()> {
        let kubeconfig = kubeconfig.to_string_lossy();
        self.cli
            .run(&["cluster", "register", CLUSTER, "--kubeconfig", &kubeconfig])?;
        self.cli.run(&[
            "extension",
            "install",
            "--cluster",
            CLUSTER,
            "--account",
            ACCOUNT,
            "--container",
            CONTAINER,
            "--image",
            &self.props.image,
        ])?;
        self.cli
            .run(&["cluster", "grant", CLUSTER, "--vault", VAULT])
            .map(drop)
    }

    /// Configures the protection of a sample application.
    pub fn protect(&self, application: &Application) -> StageResult<()> {
        let words = [
            "instance",
            "create",
            INSTANCE,
            "--vault",
            VAULT,
            "--policy",
            POLICY,
            "--cluster",
            CLUSTER,
        ];
        self.cli
            .run(&[&words[..], &["--include-namespaces", application.namespace]].concat())
            .map(drop)
    }

    /// From nothing to a protected application.
    pub fn set_up(&self, application: &Application) -> StageResult<()> {
        self.create_vault()?;
        self.connect_cluster()?;
        self.protect(application)
    }

    /// Takes a backup, waits for its end and returns the job.
    pub fn back_up(&self) -> StageResult<Value> {
        self.cli
            .json(&["backup", "start", INSTANCE, "--vault", VAULT])
    }

    /// The names of all recovery points of the sample's instance, the newest first.
    pub fn recovery_points(&self) -> StageResult<Vec<String>> {
        let listed = self.cli.json(&[
            "recovery-point",
            "list",
            "--instance",
            INSTANCE,
            "--vault",
            VAULT,
        ])?;
        let points = listed.as_array().ok_or_else(|| {
            StageError::Unexpected(format!("no list of recovery points: {listed}"))
        })?;
        Ok(points
            .iter()
            .filter_map(|point| point["name"].as_str())
            .map(str::to_owned)
            .collect())
    }

    /// Restores the newest recovery point, waits for the end and returns the job.
    pub fn restore(&self, options: &[&str]) -> StageResult<Value> {
        let mut words = vec!["restore", "start", INSTANCE, "--vault", VAULT];
        words.extend_from_slice(&["--recovery-point", "latest"]);
        words.extend_from_slice(options);
        self.cli.json(&words)
    }

    /// Takes down what the stage made in the cluster: the extension and the sample applications.
    pub fn clear_cluster(&self) -> StageResult<()> {
        let mut namespaces = vec!["dataprotection-microsoft"];
        for application in &sample::ALL {
            namespaces.push(application.namespace);
            namespaces.extend(application.copies);
        }
        // One command for all, since each namespace takes the cluster some seconds.
        self.kubectl.delete_namespaces(&namespaces)?;
        sample::ALL
            .iter()
            .try_for_each(|application| application.remove_cluster_scoped(&self.kubectl))
    }
}

impl Reach {
    /// The address and port by which pods reach this port of the machine.
    pub fn of_port(&self, port: u16) -> StageResult<String> {
        match self {
            Self::Exposed(expose) => expose.open(port),
            Self::Address(address) => Ok(format!("{address}:{port}")),
        }
    }
}

impl Expose {
    /// Opens the way to this port and returns the address and port that pods use.
    fn open(&self, port: u16) -> StageResult<String> {
        let told = process::run(
            &self.xtask,
            &[
                "cluster",
                "expose",
                "--name",
                &self.cluster,
                "--port",
                &port.to_string(),
            ],
            &[],
        )?;
        Ok(told.trim().to_owned())
    }
}

impl Dir {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}
