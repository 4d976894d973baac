//! `strongroom extension install`.

use std::collections::BTreeMap;

use strongroom_api::client::id;
use strongroom_api::extension::{
    EXTENSION_NAME, EXTENSION_TYPE, Extension, ExtensionResource, SETTING_BLOB_CONTAINER,
    SETTING_FREEZE_BUDGET_SECONDS, SETTING_IMAGE, SETTING_STORAGE_ACCOUNT, SETTING_STORAGE_ACCOUNT_RESOURCE_GROUP,
    SETTING_STORAGE_ACCOUNT_SUBSCRIPTION_ID,
};

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    #[arg(long)]
    cluster: String,
    /// Storage account: name or id
    #[arg(long, visible_alias = "storage-account")]
    account: String,
    /// Container of the storage account
    #[arg(long)]
    container: String,
    /// Name of the extension
    #[arg(long, default_value = EXTENSION_NAME)]
    name: String,
    /// Container image instead of the server's default
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// How long hooks may keep an application frozen, in seconds (default 60)
    #[arg(long, value_name = "SECONDS")]
    freeze_budget: Option<u64>,
    /// Do not wait until it runs
    #[arg(long)]
    no_wait: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let group = session.group()?;
        let segment = |key: &str| id::segment(&self.account, key).map(str::to_owned);
        let mut settings = BTreeMap::from([
            (SETTING_BLOB_CONTAINER.to_owned(), self.container.clone()),
            (SETTING_STORAGE_ACCOUNT.to_owned(), id::name(&self.account).to_owned()),
            (SETTING_STORAGE_ACCOUNT_RESOURCE_GROUP.to_owned(), segment("resourceGroups").unwrap_or(group.name)),
            (SETTING_STORAGE_ACCOUNT_SUBSCRIPTION_ID.to_owned(), segment("subscriptions").unwrap_or(group.subscription)),
        ]);
        if let Some(image) = &self.image {
            settings.insert(SETTING_IMAGE.to_owned(), image.clone());
        }
        if let Some(seconds) = self.freeze_budget {
            settings.insert(SETTING_FREEZE_BUDGET_SECONDS.to_owned(), seconds.to_string());
        }
        let body = ExtensionResource::of(Extension {
            extension_type: Some(EXTENSION_TYPE.to_owned()),
            configuration_settings: Some(settings),
            ..Extension::default()
        });
        let cluster_id = session.cluster_id(&self.cluster).await?;
        let extensions = session.client()?.extensions(&cluster_id);
        let running = extensions.put(&self.name, &body).await?;
        let extension = if self.no_wait {
            extensions.get(&self.name).await?
        } else {
            session.finish(&format!("extension on {}", id::name(&cluster_id)), running).await?
        };
        session.show(super::COLUMNS, &extension)
    }
}
