//! `cargo xtask`: the developer's commands, each in the module named after it.

mod bench;
mod cluster;
mod demo;
mod failure;
mod fuzz;
mod product;
mod talk;
mod test;
mod tidy;
mod tool;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Developer commands of Strongroom")]
enum Task {
    /// Measure the product against what the machine allows, as ratios of one run
    Bench(bench::Arguments),
    /// A real Kubernetes on this machine, for development and tests
    Cluster(cluster::Arguments),
    /// Protect an application, lose it, get it back: on a real cluster, each step with its time
    Demo(demo::Arguments),
    /// Send a server what nobody foresaw
    Fuzz(fuzz::Arguments),
    /// Every test there is, the real cluster included
    Test(test::Arguments),
    /// Check the rules of the house that no compiler checks
    Tidy,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Bench(arguments) => bench::run(arguments),
        Task::Cluster(arguments) => cluster::run(arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Tidy => tidy::run(),
    };
    done.unwrap_or_else(|failure| {
        talk::say(format_args!("error: {failure}"));
        ExitCode::FAILURE
    })
}
