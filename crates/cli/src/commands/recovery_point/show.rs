//! `strongroom recovery-point show`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recovery point: id, or latest
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Instance: name or id
    #[arg(long)]
    instance: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let instance_id = session.vault_child(&self.vault, "backupInstances", &self.instance)?;
        let name = super::named(session, &instance_id, &self.name).await?;
        let found = session.client()?.recovery_points(&instance_id).get(&name).await?;
        session.show(super::COLUMNS, &found)
    }
}
