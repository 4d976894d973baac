//! `strongroom job show`.

use strongroom_api::client::id;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Job: id
    job: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let found = session.client()?.jobs(&vault_id).get(id::name(&self.job)).await?;
        session.show(super::COLUMNS, &found)
    }
}
