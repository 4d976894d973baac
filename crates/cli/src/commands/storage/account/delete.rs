//! `strongroom storage account delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the storage account
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session.client()?.storage_accounts(&session.group()?).delete(&self.name).await?;
        session.finish_delete(&format!("storage account {}", self.name), running).await
    }
}
