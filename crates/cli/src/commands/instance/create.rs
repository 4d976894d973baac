//! `strongroom instance create`.

use strongroom_api::instance::BackupInstanceResource;

use super::configuration::ConfigurationArgs;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the instance
    name: String,
    #[command(flatten)]
    configuration: ConfigurationArgs,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.configuration.vault)?;
        let instance = self.configuration.instance(session, &self.name).await?;
        let instances = session.client()?.instances(&vault_id);
        let running = instances.put(&self.name, &BackupInstanceResource::of(instance)).await?;
        let instance = session.finish(&format!("instance {}", self.name), running).await?;
        session.show(super::COLUMNS, &instance)
    }
}
