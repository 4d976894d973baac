//! `strongroom restore start`.

use strongroom_api::client::id;

use super::request::RequestArgs;
use crate::error::CliError;
use crate::session::Session;
use crate::wait::{self, WaitArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    request: RequestArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.request.vault)?;
        let instance_id = session.vault_child(&self.request.vault, "backupInstances", &self.request.instance)?;
        let title = format!("restore of {}", id::name(&instance_id));
        let request = self.request.request(session).await?;
        let running = session.client()?.start_restore(&instance_id, &request).await?;
        wait::started(session, &vault_id, running, self.wait, &title).await
    }
}
