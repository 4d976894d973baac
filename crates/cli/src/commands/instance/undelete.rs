//! `strongroom instance undelete`.

use strongroom_api::client::id;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the deleted instance
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let deleted = id::child(&vault_id, "deletedBackupInstances", &self.name);
        let running = session.client()?.change_protection(&deleted, "undelete").await?;
        session.finish(&format!("undeleting {}", self.name), running).await?;
        let found = session.client()?.instances(&vault_id).get(&self.name).await?;
        session.show(super::COLUMNS, &found)?;
        session.say("it is back, and stopped; 'strongroom instance resume' protects it again");
        Ok(())
    }
}
