//! `strongroom service-principal create`.

use strongroom_api::service_principal::{
    ResetSecretRequest, ServicePrincipal, ServicePrincipalResource,
};
use uuid::Uuid;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What people call it
    name: String,
    /// For how many days its secret is good; 180 without this
    #[arg(long)]
    days: Option<u16>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let body = ServicePrincipalResource::of(ServicePrincipal {
            display_name: self.name,
            ..ServicePrincipal::default()
        });
        let id = new_client_id().to_string();
        let running = client.service_principals().put(&id, &body).await?;
        let principal = session.finish("service principal", running).await?;
        let request = ResetSecretRequest {
            end_date_time: super::end_in(self.days),
            keep_others: false,
        };
        let made = client.reset_client_secret(&id, &request).await?;
        super::show_secret(session, &made)?;
        let object = principal.properties.object_id.unwrap_or_default();
        session.say(&format!(
            "next: strongroom role assignment create --assignee {object} --role ROLE --scope SCOPE"
        ));
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "clients choose the ids of service principals"
)]
fn new_client_id() -> Uuid {
    Uuid::new_v4()
}
