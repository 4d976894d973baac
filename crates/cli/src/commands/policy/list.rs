//! `strongroom policy list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let found = session.client()?.policies(&session.vault_id(&self.vault)?).list()?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
