//! The verbs of `strongroom server` that are about its catalogue: copy, restore, rebuild.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use strongroom_cli::exit_code;
use strongroom_server::catalogue_copy::CopyError;
use strongroom_server::catalogue_rebuild::{NOT_THERE, RebuildError};
use strongroom_server::{Place, Rebuilt, RunError, ServerOptions};

use crate::run::{serve, server_exit_code};

#[derive(Debug, Subcommand)]
pub(crate) enum ServerVerb {
    /// Copy everything that the server's catalogue holds, beside the running server
    ///
    /// The copy is one moment of the catalogue, whatever database holds it. Secrets in it stay sealed:
    /// keep the data directory's folder `keys` as well, at another place.
    #[command(name = "backup-catalog")]
    Backup(BackupArgs),
    /// Restore a copy of the catalogue into a data directory or database that no server has used yet
    ///
    /// The folder `keys` of the server that the copy was made of must be in the data directory.
    #[command(name = "restore-catalog")]
    Restore(RestoreArgs),
    /// Rebuild a catalogue that was lost from the stores alone
    ///
    /// It takes the folder `keys` of the server that was lost, in a data directory or for a database that no
    /// server has used yet. Embedded storage is searched where it lies, in the folder `blobs`; other storage
    /// accounts are given again.
    #[command(name = "rebuild-catalog")]
    Rebuild(RebuildArgs),
}

/// Which server; as of `strongroom server`.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Folder of everything that the server keeps [env: STRONGROOM_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file, TOML [env: STRONGROOM_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl WhichArgs {
    fn options(self) -> ServerOptions {
        ServerOptions {
            data_dir: self.data_dir,
            config: self.config,
            ..ServerOptions::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Where the copy goes; - is standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// The copy; - is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The server did nothing since the copy was made: its jobs go on
    ///
    /// For a move to another machine or database, with the server stopped before the copy. Without it
    /// jobs that were at work in the copy are ended, and for a week nothing expires.
    #[arg(long)]
    moved: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// A storage account that is not embedded: JSON with `backend`, as in the account's document and with
    /// its secrets, and `buckets`, the names of the buckets or containers to search; may be given again
    #[arg(long, value_name = "FILE")]
    account: Vec<PathBuf>,
    /// Say what would be rebuilt, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl ServerVerb {
    pub(crate) fn run(self) -> ExitCode {
        serve(self.carry_out(), server_exit_code)
    }

    async fn carry_out(self) -> Result<(), RunError> {
        match self {
            Self::Backup(args) => {
                let (options, to) = (args.which.options(), Place::from(args.output));
                let rows = strongroom_server::backup_catalogue(&options, &to).await?;
                say(&format!("copied {rows} rows"));
            }
            Self::Restore(args) => {
                let (options, from) = (args.which.options(), Place::from(args.input));
                let restored =
                    strongroom_server::restore_catalogue(&options, &from, args.moved).await?;
                say(&format!(
                    "restored {} rows of {}",
                    restored.rows, restored.header.made
                ));
                if !args.moved {
                    say(&format!(
                        "{} jobs that were at work then were ended; when the server starts it looks which \
                         recovery points the stores hold, and for a week nothing expires: look at \
                         policies and protections before",
                        restored.ended_jobs
                    ));
                }
            }
            Self::Rebuild(args) => {
                let options = args.which.options();
                let rebuilt =
                    strongroom_server::rebuild_catalogue(&options, &args.account, args.dry_run);
                tell(&rebuilt.await?, args.dry_run);
            }
        }
        Ok(())
    }
}

fn tell(rebuilt: &Rebuilt, dry_run: bool) {
    let lists = [
        ("vault", &rebuilt.vaults),
        ("policy", &rebuilt.policies),
        ("instance", &rebuilt.instances),
    ];
    for (what, ids) in lists {
        for id in ids {
            say(&format!("{what} {id}"));
        }
    }
    let (done, points) = (if dry_run { "would be" } else { "were" }, rebuilt.points);
    say(&format!(
        "these {done} rebuilt; their {points} recovery points are there once the server has started"
    ));
    for finding in &rebuilt.findings {
        say(&format!("note: {finding}"));
    }
    say("what no store holds, and has to be made again:");
    for lost in NOT_THERE {
        say(&format!("- {lost}"));
    }
}

/// Tells something; data go to standard output.
fn say(text: &str) {
    // Nobody may be listening; the exit code tells.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What kind of trouble kept a copy from being made or restored, in the codes of the command line.
pub(crate) fn exit_code(error: &CopyError) -> u8 {
    match error {
        CopyError::NotEmpty { .. } => exit_code::CONFLICT,
        CopyError::NotACopy
        | CopyError::OtherFormat(_)
        | CopyError::OtherSchema { .. }
        | CopyError::OtherDatabase { .. }
        | CopyError::OtherMasterKey => exit_code::USAGE,
        CopyError::Damaged(_) | CopyError::Secret(_) | CopyError::Malformed { .. } => {
            exit_code::CORRUPT
        }
        CopyError::Store(_) | CopyError::Io(_) => exit_code::INTERNAL,
    }
}

/// The same of a catalogue that was not rebuilt.
pub(crate) fn rebuild_exit_code(error: &RebuildError) -> u8 {
    match error {
        RebuildError::Account { .. } => exit_code::USAGE,
        RebuildError::NothingFound => exit_code::NOT_FOUND,
        RebuildError::Store { .. } => exit_code::INTERNAL,
    }
}
