//! `strongroom vault delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the vault
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session.client()?.vaults(&session.group()?).delete(&self.name).await?;
        session.finish_delete(&format!("vault {}", self.name), running).await
    }
}
