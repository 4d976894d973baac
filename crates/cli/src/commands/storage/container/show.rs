//! `strongroom storage container show`.

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
        let found = session.client()?.blob_containers(&session.group()?.storage_account(&self.account)).get(&self.name).await?;
        session.show(super::COLUMNS, &found)
    }
}
