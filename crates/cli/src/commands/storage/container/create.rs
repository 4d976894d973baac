//! `strongroom storage container create`.

use strongroom_api::storage::{BlobContainer, BlobContainerResource};

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the container
    name: String,
    /// Storage account
    #[arg(long)]
    account: String,
    /// Bucket of the S3 service, when it has another name than the container
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let account_id = session.group()?.storage_account(&self.account);
        let body = BlobContainerResource::of(BlobContainer { bucket: self.bucket, public_access: None });
        let running = session.client()?.blob_containers(&account_id).put(&self.name, &body).await?;
        let container = session.finish(&format!("container {}", self.name), running).await?;
        session.show(super::COLUMNS, &container)?;
        session.say(&format!(
            "container {0} is ready to take backups\nnext: strongroom extension install --cluster CLUSTER --account {1} --container {0}",
            self.name, self.account
        ));
        Ok(())
    }
}
