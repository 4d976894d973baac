//! `strongroom cluster revoke`.

use strongroom_api::client::id;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Name of the binding [default: the vault's name]
    #[arg(long, value_name = "NAME")]
    binding: Option<String>,
    /// Although instances of the vault protect the cluster: their backups will fail
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let cluster_id = session.cluster_id(&self.name).await?;
        let name = self.binding.as_deref().unwrap_or_else(|| id::name(&vault_id));
        let client = session.client()?;
        let bindings = client.trusted_access(&cluster_id);
        let running = if self.force {
            client.force_revoke(&bindings.id(name)).await?
        } else {
            bindings.delete(name).await?
        };
        let access = format!("access of {} to {}", id::name(&vault_id), id::name(&cluster_id));
        session.finish(&format!("deleting {access}"), running).await?;
        // Whether there was any is not told.
        session.say(&format!("{access} is deleted"));
        Ok(())
    }
}
