//! What the program as a whole can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use strongroom_cli::{Command, ExtensionVerb, GlobalArgs, exit_code};

use crate::catalogue::ServerVerb;
use crate::logging::LogArgs;

/// Backup and restore for Kubernetes, self-hosted
///
/// One program: the server with its REST API (`server`), the backup extension that runs inside a
/// cluster (`extension` without a verb), and the command line that talks to the server (all else).
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_long_help = exit_code::HELP, max_term_width = 100)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: ProgramCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProgramCommand {
    /// Run the server; with a verb: copy, restore or rebuild its catalogue
    Server(ServerArgs),
    /// The backup extension of a cluster; without a verb: be it (inside the cluster)
    Extension(ExtensionArgs),
    #[command(flatten)]
    Cli(Command),
}

/// `strongroom server`. Each value can also come from the environment or the configuration file;
/// the server looks there itself.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<ServerVerb>,
    /// Folder for everything that the server keeps [env: STRONGROOM_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [env: STRONGROOM_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Configuration file, TOML [env: STRONGROOM_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// URL under which extensions reach this server [env: STRONGROOM_ADVERTISE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) advertise_url: Option<String>,
    /// Print the effective configuration and end
    #[arg(long)]
    pub(crate) check_config: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// `strongroom extension`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ExtensionArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<ExtensionVerb>,
    #[command(flatten)]
    pub(crate) run: ExtensionRunArgs,
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
}

/// `strongroom extension` without a verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inside a cluster")]
pub(crate) struct ExtensionRunArgs {
    /// Namespace of the extension's custom resources
    #[arg(
        long,
        env = "STRONGROOM_NAMESPACE",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) namespace: Option<String>,
    /// Run outside of the cluster with this kubeconfig, for development
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Address and port of the health checks [default: 0.0.0.0:8081]
    #[arg(long, value_name = "ADDR")]
    pub(crate) health_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}
