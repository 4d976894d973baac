//! Connecting to an object store: the plain description that travels sealed inside a job, and the
//! translation of a store's errors into what the reader must do.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{Error, Result};
use crate::limits::{
    STORE_BACKOFF, STORE_CLIENT_RETRIES, STORE_CONNECT_TIMEOUT, STORE_REQUEST_TIMEOUT,
    STORE_RETRY_TIMEOUT,
};

/// A secret text: wiped when dropped, never shown by `Debug`, plain in serialised form (which is
/// only ever written sealed).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"(redacted)\"")
    }
}

/// Where repositories are: a store and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreConfig {
    /// The store.
    pub backend: Backend,
    /// Path below which everything is kept, without slashes at its ends; empty for the root.
    #[serde(default)]
    pub prefix: String,
}

/// The kinds of stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Backend {
    /// Anything that speaks S3 with conditional writes (`If-None-Match: *`).
    S3(S3Config),
    /// A folder of this machine: tests, and the server's own view of its embedded storage.
    Local {
        /// The folder, which must exist.
        path: PathBuf,
    },
    /// Memory of this process, empty at each connection: tests.
    Memory,
}

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
}

fn yes() -> bool {
    true
}

impl StoreConfig {
    /// A client for the store. Makes no request yet.
    pub fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        match &self.backend {
            Backend::Memory => Ok(Arc::new(InMemory::new())),
            Backend::Local { path } => LocalFileSystem::new_with_prefix(path)
                .map(|store| -> Arc<dyn ObjectStore> {
                    Arc::new(store.with_fsync(true).with_automatic_cleanup(true))
                })
                .map_err(|e| Error::InvalidConfig { why: chain(&e) }),
            Backend::S3(config) => connect_s3(config),
        }
    }

    /// The prefix as a path.
    pub fn prefix(&self) -> Result<Path> {
        Path::parse(&self.prefix).map_err(|e| Error::InvalidConfig { why: e.to_string() })
    }
}

fn connect_s3(config: &S3Config) -> Result<Arc<dyn ObjectStore>> {
    let invalid = |e: object_store::Error| Error::InvalidConfig { why: chain(&e) };
    let plain = config.endpoint.starts_with("http://");
    let mut options = ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(STORE_CONNECT_TIMEOUT)
        .with_timeout(STORE_REQUEST_TIMEOUT);
    if let Some(pem) = &config.ca_certificate {
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(invalid)?;
        if certificates.is_empty() {
            return Err(Error::InvalidConfig {
                why: "caCertificate holds no certificate".into(),
            });
        }
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    if config.ca_certificate.is_some() || plain {
        // Whoever names an authority means that one and no other, and without TLS there is nothing
        // to verify: machines without system certificates work, too.
        options = options.with_no_system_certificates(true);
    }
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: STORE_BACKOFF,
            ..BackoffConfig::default()
        },
        max_retries: STORE_CLIENT_RETRIES,
        retry_timeout: STORE_RETRY_TIMEOUT,
    };
    let mut builder = AmazonS3Builder::new()
        .with_endpoint(config.endpoint.trim_end_matches('/'))
        .with_region(&config.region)
        .with_bucket_name(&config.bucket)
        .with_access_key_id(&config.access_key_id)
        .with_secret_access_key(config.secret_access_key.expose())
        .with_virtual_hosted_style_request(!config.path_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // One object a request: not every service has the bulk call, and we remove one at a time.
        .with_disable_bulk_delete(true)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(token) = &config.session_token {
        builder = builder.with_token(token.expose());
    }
    Ok(Arc::new(builder.build().map_err(invalid)?))
}

/// Translates a store's error. `doing` says what was being done, `what` names the object.
pub fn classify(error: object_store::Error, doing: impl Fn() -> String, what: &str) -> Error {
    use object_store::Error as Store;
    let doing = doing();
    match &error {
        Store::NotFound { .. } => return Error::NotFound { what: what.into() },
        Store::AlreadyExists { .. } | Store::Precondition { .. } => {
            return Error::Exists { what: what.into() };
        }
        _ => {}
    }
    if error.to_string().contains("status code: 416") {
        return Error::corrupt(what, "it is shorter than what refers to it says");
    }
    match refusal(&error) {
        Some(Refusal::Full) => Error::Full {
            doing,
            source: error,
        },
        Some(Refusal::ReadOnly) => Error::ReadOnly {
            doing,
            source: error,
        },
        Some(Refusal::Denied) => Error::Denied {
            doing,
            source: error,
        },
        None => Error::Unreachable {
            doing,
            source: error,
        },
    }
}

enum Refusal {
    Full,
    ReadOnly,
    Denied,
}

/// Reads the reason from the operating system's error when there is one in the chain, else from the
/// error code of the service, which `object_store` keeps in the text only.
fn refusal(error: &object_store::Error) -> Option<Refusal> {
    use std::io::ErrorKind;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            match io.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => return Some(Refusal::Full),
                ErrorKind::ReadOnlyFilesystem => return Some(Refusal::ReadOnly),
                ErrorKind::PermissionDenied => return Some(Refusal::Denied),
                _ => {}
            }
        }
        cause = current.source();
    }
    // Codes: MinIO `XMinioStorageFull` and HTTP 507; `QuotaExceeded` of several S3 services,
    // `InsufficientStorage` of ours; `ReadOnly` and `XMinioReadOnly` of services under maintenance.
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "XMinioStorageFull",
        "status code: 507",
        "QuotaExceeded",
        "InsufficientStorage",
    ]) {
        return Some(Refusal::Full);
    }
    if says(&["ReadOnlyAccess", "XMinioReadOnly", "<Code>ReadOnly"]) {
        return Some(Refusal::ReadOnly);
    }
    let denied = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    denied.then_some(Refusal::Denied)
}

/// An error with its sources in one line, without repeating what is repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let next = current.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = current.source();
    }
    text
}

#[cfg(test)]
mod tests;
