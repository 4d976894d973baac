//! Azure Blob Storage: a container of a storage account.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use serde::{Deserialize, Serialize};

use super::{Secret, client_options, invalid, refuse_secret_in_the_clear, refused, retries};
use crate::error::Result;

/// A container of an Azure Blob Storage account, with the account's key or a shared access signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureBlobConfig {
    /// Name of the storage account.
    pub account: String,
    /// Container.
    pub container: String,
    /// One of the account's two keys, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key: Option<Secret>,
    /// A shared access signature instead, as a query string (`sv=…&sig=…`). It needs to read, create,
    /// list, and delete for what prunes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_access_signature: Option<Secret>,
    /// URL of the account's blob service, where that is not
    /// `https://<account>.blob.core.windows.net`: sovereign clouds, private endpoints, emulators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Certificates (PEM) of the authority to trust, and no other; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

impl AzureBlobConfig {
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let endpoint = self.endpoint.as_deref();
        let options = client_options(endpoint, self.ca_certificate.as_deref())?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(&self.account)
            .with_container_name(&self.container)
            .with_client_options(options)
            .with_retry(retries());
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        builder = match (&self.account_key, &self.shared_access_signature) {
            (Some(key), None) => builder.with_access_key(key.expose()),
            (None, Some(signature)) => {
                refuse_secret_in_the_clear(endpoint, "the shared access signature")?;
                let query = signature.expose().trim().trim_start_matches('?');
                builder.with_config(AzureConfigKey::SasKey, query)
            }
            (Some(_), Some(_)) => {
                return Err(refused(
                    "an account key and a shared access signature exclude each other",
                ));
            }
            (None, None) => {
                return Err(refused(
                    "an account key or a shared access signature is needed",
                ));
            }
        };
        Ok(Arc::new(builder.build().map_err(invalid)?))
    }
}
