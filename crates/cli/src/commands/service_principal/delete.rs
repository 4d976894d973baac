//! `strongroom service-principal delete`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Client id or name of the service principal
    principal: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let id = super::client_id(session, &self.principal).await?;
        let running = session.client()?.service_principals().delete(&id).await?;
        session
            .finish_delete(&format!("service principal {}", self.principal), running)
            .await
    }
}
