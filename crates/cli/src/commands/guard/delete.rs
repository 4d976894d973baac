//! `strongroom guard delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the guard
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session.client()?.resource_guards(&session.group()?).delete(&self.name).await?;
        session.finish_delete(&format!("resource guard {}", self.name), running).await
    }
}
