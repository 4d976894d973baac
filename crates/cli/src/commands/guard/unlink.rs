//! `strongroom guard unlink`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let links = session.client()?.resource_guard_proxies(&session.vault_id(&self.vault)?);
        // Others may have given it another name.
        let found = links.list()?.all().await?;
        let name = found.first().and_then(|link| link.name.clone());
        let running = links.delete(name.as_deref().unwrap_or(super::PROXY)).await?;
        session.finish_delete("the link to the resource guard", running).await
    }
}
