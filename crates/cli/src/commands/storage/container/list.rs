//! `strongroom storage container list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Storage account
    #[arg(long)]
    account: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.client()?.blob_containers(&session.group()?.storage_account(&self.account)).list()?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
