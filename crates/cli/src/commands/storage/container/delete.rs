//! `strongroom storage container delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the container
    name: String,
    /// Storage account
    #[arg(long)]
    account: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session.client()?.blob_containers(&session.group()?.storage_account(&self.account)).delete(&self.name).await?;
        session.finish_delete(&format!("container {}", self.name), running).await
    }
}
