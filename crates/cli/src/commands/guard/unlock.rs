//! `strongroom guard unlock`.

use strongroom_api::guard::UnlockDeleteRequest;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instance whose delete is unlocked: name or id
    instance: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let vault = session.vault_id(&self.vault)?;
        let links = client.resource_guard_proxies(&vault);
        let found = links.list()?.all().await?;
        let Some(name) = found.first().and_then(|link| link.name.as_deref()) else {
            let message = format!("the vault '{vault}' is not linked to a resource guard");
            return Err(CliError::not_found(message, "Nothing has to be unlocked: delete the instance."));
        };
        let request = UnlockDeleteRequest {
            resource_guard_operation_requests: None,
            resource_to_be_deleted: Some(session.vault_child(&self.vault, "backupInstances", &self.instance)?),
        };
        let unlocked = client.unlock_delete(&links.id(name), &request).await?;
        session.say(&format!("it may be deleted until {}", unlocked.unlock_delete_expiry_time));
        Ok(())
    }
}
