//! Google Cloud Storage: a bucket.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::gcp::GoogleCloudStorageBuilder;
use serde::{Deserialize, Serialize};

use super::{Secret, client_options, invalid, refuse_secret_in_the_clear, refused, retries};
use crate::error::Result;

/// A bucket of Google Cloud Storage, with the key of a service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcsConfig {
    /// Bucket.
    pub bucket: String,
    /// Key of a service account: the JSON document that Google gives out for it. It needs
    /// `storage.objects.get`, `.create` and `.list`, and `.delete` for what prunes.
    pub service_account_key: Secret,
    /// URL of the service, where that is not `https://storage.googleapis.com`: private endpoints,
    /// emulators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Certificates (PEM) of the authority to trust, and no other; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

impl GcsConfig {
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let endpoint = self.endpoint.as_deref();
        refuse_secret_in_the_clear(endpoint, "the service account's token")?;
        let options = client_options(endpoint, self.ca_certificate.as_deref())?;
        let key: serde_json::Value = serde_json::from_str(self.service_account_key.expose())
            .map_err(|_| refused("the service account's key is not JSON"))?;
        if key.get("type").and_then(|kind| kind.as_str()) != Some("service_account") {
            return Err(refused(
                "the key is not that of a service account (\"type\": \"service_account\")",
            ));
        }
        // Members that would send requests elsewhere, or without a credential, are not the key's to
        // decide.
        if key.get("gcs_base_url").is_some() || key.get("disable_oauth").is_some() {
            return Err(refused(
                "the service account's key must not name an address or turn off its use",
            ));
        }
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.bucket)
            .with_service_account_key(self.service_account_key.expose())
            .with_client_options(options)
            .with_retry(retries());
        if let Some(endpoint) = endpoint {
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        Ok(Arc::new(builder.build().map_err(invalid)?))
    }
}
