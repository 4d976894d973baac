//! `strongroom group snapshot-class remove`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Resource group
    group: String,
    /// CSI driver
    #[arg(long)]
    driver: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        super::change(session, &self.group, |classes| classes.retain(|one| one.driver != self.driver)).await
    }
}
