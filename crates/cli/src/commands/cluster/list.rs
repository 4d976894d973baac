//! `strongroom cluster list`.

use strongroom_api::client::id::ClusterKind;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let (client, group) = (session.client()?, session.group()?);
        let mut found = client.clusters(&group, ClusterKind::Connected).list()?.all().await?;
        found.extend(client.clusters(&group, ClusterKind::Managed).list()?.all().await?);
        session.show_all(super::COLUMNS, &found)
    }
}
