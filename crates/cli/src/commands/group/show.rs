//! `strongroom group show`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the resource group
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session
            .client()?
            .resource_groups(session.settings.subscription()?)
            .get(&self.name)
            .await?;
        session.show(super::COLUMNS, &found)
    }
}
