//! The one binary of Strongroom: `strongroom server`, `strongroom extension` and the command line.
//!
//! Everything is wired in [`run`]; nothing happens before the arguments are parsed, so that
//! `strongroom --help` is instant.

mod arguments;
mod catalogue;
mod logging;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run()
}
