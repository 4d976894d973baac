//! `strongroom group create`.

use strongroom_api::resource_group::ResourceGroup;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the resource group
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let location = session.settings.location().ok_or_else(|| {
            CliError::invalid(
                "no location is known",
                "Give -l LOCATION, any name of yours.",
            )
        })?;
        let body = ResourceGroup {
            location: Some(location.to_owned()),
            ..ResourceGroup::default()
        };
        let groups = session
            .client()?
            .resource_groups(session.settings.subscription()?);
        let running = groups.put(&self.name, &body).await?;
        let group = session
            .finish(&format!("resource group {}", self.name), running)
            .await?;
        session.show(super::COLUMNS, &group)
    }
}
