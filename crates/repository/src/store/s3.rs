//! S3 and whatever speaks it.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use serde::{Deserialize, Serialize};

use super::{Secret, client_options, invalid, retries};
use crate::error::Result;

/// An S3 bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Config {
    /// URL of the service, for example `https://strongroom.example:8443`.
    pub endpoint: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// Session token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// Certificates (PEM) of the authority to trust, and no other; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    #[serde(default = "yes")]
    pub path_style: bool,
    /// Content is sent without its own SHA-256, which saves hashing it on both sides. Over TLS only,
    /// which protects it on the way; without TLS this has no effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned_payload: bool,
}

fn yes() -> bool {
    true
}

impl S3Config {
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let options = client_options(Some(&self.endpoint), self.ca_certificate.as_deref())?;
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(self.endpoint.trim_end_matches('/'))
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(self.secret_access_key.expose())
            .with_virtual_hosted_style_request(!self.path_style)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // One object a request: not every service has the bulk call, and we remove one at a time.
            .with_disable_bulk_delete(true)
            .with_unsigned_payload(self.unsigned_payload && self.endpoint.starts_with("https://"))
            .with_client_options(options)
            .with_retry(retries());
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token.expose());
        }
        Ok(Arc::new(builder.build().map_err(invalid)?))
    }
}
