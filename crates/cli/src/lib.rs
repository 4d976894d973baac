//! The command line: commands over the public contract, shaped like `az dataprotection` but short.
//!
//! Contract: a command decides nothing, it says to the server what the user said and shows what the
//! server answered. Data goes to standard output (`-o table|json|yaml`), talk and progress to
//! standard error. The exit code says what kind of trouble it was ([`exit_code`]). Secrets are read
//! from files or the environment, never from arguments, and never printed.
//!
//! Nothing asynchronous is started before the arguments are parsed, so that `--help` is instant.

pub mod exit_code;

mod commands;
mod context_file;
mod error;
mod kubeconfig;
mod local_file;
mod output;
mod session;
mod settings;
mod talk;
mod terminal;
mod wait;

#[cfg(test)]
mod tests;

pub use commands::{Command, ExtensionVerb};
pub use settings::GlobalArgs;
pub use terminal::Terminal;

use std::process::ExitCode;

use error::CliError;

/// Runs one parsed command on the process's own terminal. `root` is the whole program's command
/// tree, which shell completions are made from.
#[must_use]
pub fn run(command: Command, root: &clap::Command) -> ExitCode {
    ExitCode::from(run_on(command, root, Terminal::process()))
}

/// As [`run`], on a given terminal; gives the exit code.
#[must_use]
pub fn run_on(command: Command, root: &clap::Command, terminal: Terminal) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(command.run(root, &terminal)),
        Err(error) => Err(CliError::internal(format!(
            "the runtime cannot be started: {error}"
        ))),
    };
    match result {
        Ok(()) => exit_code::SUCCESS,
        Err(error) => {
            terminal.complain(&error.to_string());
            error.exit_code()
        }
    }
}
