//! `strongroom cluster show`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.cluster(&self.name).await?;
        session.show(super::COLUMNS, &found)
    }
}
