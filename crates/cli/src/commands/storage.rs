//! `strongroom storage`.

use super::Run;
use crate::error::CliError;
use crate::session::Session;

mod account;
mod container;

/// What is under storage.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Storage accounts: the server's own store, or an S3 service
    #[command(subcommand)]
    Account(account::Verb),
    /// Blob containers of a storage account
    #[command(subcommand)]
    Container(container::Verb),
}

impl Run for Verb {
    async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Account(verb) => verb.run(session).await,
            Self::Container(verb) => verb.run(session).await,
        }
    }
}
