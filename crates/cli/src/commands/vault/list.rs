//! `strongroom vault list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Those of the location that are deleted and can be brought back
    #[arg(long)]
    deleted: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        if self.deleted {
            let group = session.group()?;
            let location = session.location().await?;
            let client = session.client()?;
            let found = client.deleted_vaults(&group.subscription, &location).list()?.all().await?;
            return session.show_all(super::DELETED_COLUMNS, &found);
        }
        let found = session.client()?.vaults(&session.group()?).list()?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
