//! `strongroom instance list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Those that are deleted and can be brought back
    #[arg(long)]
    deleted: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        if self.deleted {
            let found = session.client()?.deleted_instances(&vault_id).list()?.all().await?;
            return session.show_all(super::DELETED_COLUMNS, &found);
        }
        let found = session.client()?.instances(&vault_id).list()?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
