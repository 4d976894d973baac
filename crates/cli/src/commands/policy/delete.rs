//! `strongroom policy delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the policy
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let running = session.client()?.policies(&session.vault_id(&self.vault)?).delete(&self.name).await?;
        session.finish_delete(&format!("policy {}", self.name), running).await
    }
}
