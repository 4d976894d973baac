//! `strongroom instance validate`.

use strongroom_api::instance::ValidateForBackupRequest;

use super::configuration::ConfigurationArgs;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name that the instance would have
    #[arg(default_value = "validated")]
    name: String,
    #[command(flatten)]
    configuration: ConfigurationArgs,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.configuration.vault)?;
        let backup_instance = self.configuration.instance(session, &self.name).await?;
        let request = ValidateForBackupRequest { backup_instance };
        let running = session.client()?.validate_for_backup(&vault_id, &request).await?;
        let validated = session.finish("validating", running).await?.unwrap_or_default();
        super::tell(session, &validated.warnings);
        session.say(match validated.warnings.len() {
            0 => "valid: this cluster can be protected so",
            _ => "valid: this cluster can be protected so, but look at the warnings",
        });
        Ok(())
    }
}
