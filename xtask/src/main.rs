//! `cargo xtask`: the developer's commands, each in the module named after it.

mod cluster;
mod failure;
mod talk;
mod tool;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Developer commands of Strongroom")]
enum Task {
    /// A real Kubernetes on this machine, for development and tests
    Cluster(cluster::Arguments),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Cluster(arguments) => cluster::run(arguments),
    };
    done.unwrap_or_else(|failure| {
        talk::say(format_args!("error: {failure}"));
        ExitCode::FAILURE
    })
}
