//! `strongroom cluster unregister`.

use strongroom_api::client::id;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let cluster_id = session.cluster_id(&self.name).await?;
        let running = session.delete_cluster(&cluster_id).await?;
        session.finish_delete(&format!("cluster {}", id::name(&cluster_id)), running).await
    }
}
