//! `cargo xtask`: the developer's commands, each in the module named after it.

mod cluster;
mod failure;
mod talk;
mod tidy;
mod tool;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Developer commands of Strongroom")]
enum Task {
    /// A real Kubernetes on this machine, for development and tests
    Cluster(cluster::Arguments),
    /// Check the rules of the house that no compiler checks
    Tidy,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Cluster(arguments) => cluster::run(arguments),
        Task::Tidy => tidy::run(),
    };
    done.unwrap_or_else(|failure| {
        talk::say(format_args!("error: {failure}"));
        ExitCode::FAILURE
    })
}
