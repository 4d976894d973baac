//! `strongroom restore validate`.

use strongroom_api::client::id;
use strongroom_api::restore::ValidateRestoreRequest;

use super::request::RequestArgs;
use crate::error::CliError;
use crate::session::Session;
use crate::wait::{self, End, WaitArgs};

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
        let request = ValidateRestoreRequest { restore_request_object: self.request.request(session).await? };
        let running = session.client()?.validate_restore(&instance_id, &request).await?;
        match wait::started_or_done(session, &vault_id, running, self.wait, "validating the restore").await? {
            End::Succeeded => session.say(&format!(
                "valid: nothing was changed; the same words after `strongroom restore start {}` do it",
                id::name(&instance_id)
            )),
            End::NoJob => session.say("valid: nothing stands in the way"),
            End::Waiting => {}
        }
        Ok(())
    }
}
