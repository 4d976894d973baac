//! `strongroom service-principal reset-secret`.

use strongroom_api::service_principal::ResetSecretRequest;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Client id or name of the service principal
    principal: String,
    /// For how many days the secret is good; 180 without this
    #[arg(long)]
    days: Option<u16>,
    /// Keep the others good too, until programs have the new one
    #[arg(long)]
    append: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let id = super::client_id(session, &self.principal).await?;
        let request = ResetSecretRequest {
            end_date_time: super::end_in(self.days),
            keep_others: self.append,
        };
        let made = session.client()?.reset_client_secret(&id, &request).await?;
        super::show_secret(session, &made)
    }
}
