//! `strongroom group snapshot-class list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Resource group
    group: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.client()?.resource_groups(session.settings.subscription()?).get(&self.group).await?;
        session.show_all(super::COLUMNS, &super::classes_of(&found))
    }
}
