//! `strongroom extension show`.

use strongroom_api::extension::EXTENSION_NAME;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    #[arg(long)]
    cluster: String,
    /// Name of the extension
    #[arg(long, default_value = EXTENSION_NAME)]
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let cluster_id = session.cluster_id(&self.cluster).await?;
        let found = session.client()?.extensions(&cluster_id).get(&self.name).await?;
        session.show(super::COLUMNS, &found)
    }
}
