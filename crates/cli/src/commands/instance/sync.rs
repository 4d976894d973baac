//! `strongroom instance sync` tries again what failed when it was configured.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the instance
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        super::change(session, &self.vault, &self.name, "sync").await?;
        session.say("configured");
        Ok(())
    }
}
