//! `strongroom storage account create`.

use std::path::PathBuf;

use strongroom_api::storage::{
    AzureBlobBackend, Backend, GcsBackend, S3Backend, StorageAccount, StorageAccountResource,
};

use crate::error::CliError;
use crate::local_file;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the storage account
    name: String,
    /// What is behind it
    #[arg(long, value_enum, default_value_t)]
    backend: Kind,
    /// URL of the service; needed for s3, else where it is not the provider's own
    #[arg(long, value_name = "URL", required_if_eq("backend", "s3"))]
    endpoint: Option<String>,
    /// URL of the service as pods of the clusters reach it, when the server reaches it by another
    #[arg(long, value_name = "URL")]
    extension_endpoint: Option<String>,
    /// Region of the S3 service
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Access key id for the S3 service
    #[arg(long, value_name = "ID", required_if_eq("backend", "s3"))]
    access_key_id: Option<String>,
    /// File with the secret access key
    #[arg(long, value_name = "FILE", required_if_eq("backend", "s3"))]
    secret_access_key_file: Option<PathBuf>,
    /// Name of the account in Azure, when it is not that of the storage account here
    #[arg(long, value_name = "NAME")]
    azure_account: Option<String>,
    /// File with a key of the account in Azure
    #[arg(long, value_name = "FILE", conflicts_with = "sas_file")]
    account_key_file: Option<PathBuf>,
    /// File with a shared access signature of the account or container in Azure
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,
    /// File with the JSON key of a service account of Google Cloud
    #[arg(long, value_name = "FILE", required_if_eq("backend", "gcs"))]
    service_account_key_file: Option<PathBuf>,
    /// PEM file of the CA of the service, when it is not a public one
    #[arg(long, value_name = "FILE")]
    endpoint_ca_file: Option<PathBuf>,
    /// Address buckets as BUCKET.HOST instead of HOST/BUCKET
    #[arg(long)]
    virtual_hosted: bool,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Kind {
    /// The server's own store
    #[default]
    Embedded,
    /// An S3 service
    S3,
    /// A storage account of Azure
    AzureBlob,
    /// Google Cloud Storage
    Gcs,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let name = self.name.clone();
        let location = session.location().await?;
        for endpoint in [&self.endpoint, &self.extension_endpoint]
            .into_iter()
            .flatten()
        {
            if endpoint.starts_with("http://") {
                session.say(&format!("warning: {endpoint} is not encrypted on the way: backups are, but the names and sizes of their objects can be seen"));
            }
        }
        let properties = StorageAccount {
            backend: Some(self.backend()?),
            ..StorageAccount::default()
        };
        let body = StorageAccountResource {
            location: Some(location),
            // Published clients send both; a server that knows no backend needs them.
            kind: Some("StorageV2".to_owned()),
            sku: Some(serde_json::json!({ "name": "Standard_LRS" })),
            ..StorageAccountResource::of(properties)
        };
        let running = session
            .client()?
            .storage_accounts(&session.group()?)
            .put(&name, &body)
            .await?;
        let account = session
            .finish(&format!("storage account {name}"), running)
            .await?;
        session.show(super::COLUMNS, &account)?;
        session.say(&format!(
            "storage account {name} is ready to have containers\nnext: strongroom storage container create NAME --account {name}"
        ));
        Ok(())
    }

    fn backend(self) -> Result<Backend, CliError> {
        let secret = |file: &Option<PathBuf>| {
            file.as_deref().map(local_file::read_secret).transpose()
        };
        let ca_certificate = self
            .endpoint_ca_file
            .as_deref()
            .map(local_file::read)
            .transpose()?;
        Ok(match self.backend {
            Kind::Embedded => Backend::Embedded,
            Kind::S3 => Backend::S3(S3Backend {
                endpoint: self.endpoint.unwrap_or_default(),
                extension_endpoint: self.extension_endpoint,
                region: self.region,
                path_style: Some(!self.virtual_hosted),
                access_key_id: self.access_key_id.unwrap_or_default(),
                secret_access_key: secret(&self.secret_access_key_file)?,
                session_token: None,
                ca_certificate,
            }),
            Kind::AzureBlob => Backend::AzureBlob(AzureBlobBackend {
                account: self.azure_account,
                account_key: secret(&self.account_key_file)?,
                shared_access_signature: secret(&self.sas_file)?,
                endpoint: self.endpoint,
                extension_endpoint: self.extension_endpoint,
                ca_certificate,
            }),
            Kind::Gcs => Backend::Gcs(GcsBackend {
                service_account_key: secret(&self.service_account_key_file)?,
                endpoint: self.endpoint,
                extension_endpoint: self.extension_endpoint,
                ca_certificate,
            }),
        })
    }
}
