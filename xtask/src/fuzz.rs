//! `cargo xtask fuzz`: what nobody foresaw, sent to a real server until time is over.
//!
//! Contract: the same seed sends the same requests to the same server; what is found stays under
//! `target/fuzz` with the request that shows it.

pub(crate) mod api;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Result;

/// Arguments of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Requests by the server's OpenAPI document and beyond it: no 500, nothing undeclared
    Api(api::Options),
}

/// Does what `cargo xtask fuzz …` was told.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.what {
        What::Api(options) => api::run(options),
    }
}
