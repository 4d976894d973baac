//! `strongroom group delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the resource group
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session
            .client()?
            .resource_groups(session.settings.subscription()?)
            .delete(&self.name)
            .await?;
        session
            .finish_delete(&format!("resource group {}", self.name), running)
            .await
    }
}
