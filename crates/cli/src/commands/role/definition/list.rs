//! `strongroom role definition list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.client()?.role_definitions().list()?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
