//! `strongroom guard show`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the guard
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.client()?.resource_guards(&session.group()?).get(&self.name).await?;
        session.show(super::COLUMNS, &found)
    }
}
