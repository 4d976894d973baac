//! `strongroom recovery_point show`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the recovery point
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
        let found = session.client()?.recovery_points(&session.vault_child(&self.vault, "backupInstances", &self.instance)?).get(&self.name).await?;
        session.show(super::COLUMNS, &found)
    }
}
