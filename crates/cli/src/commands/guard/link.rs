//! `strongroom guard link`.

use strongroom_api::guard::{ResourceGuardProxy, ResourceGuardProxyResource};

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of the guard, or its name in the resource group
    guard: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let guard = if self.guard.starts_with('/') {
            self.guard
        } else {
            client.resource_guards(&session.group()?).id(&self.guard)
        };
        let body = ResourceGuardProxyResource::of(ResourceGuardProxy {
            resource_guard_resource_id: guard,
            ..ResourceGuardProxy::default()
        });
        let links = client.resource_guard_proxies(&session.vault_id(&self.vault)?);
        let link = session.finish("linking the vault", links.put(super::PROXY, &body).await?).await?;
        session.show(super::LINK_COLUMNS, &link)
    }
}
