//! Connecting to an object store: the plain description that travels sealed inside a job, and the
//! translation of a store's errors into what the reader must do.

mod azure;
mod classify;
mod gcs;
mod s3;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use azure::AzureBlobConfig;
pub use classify::classify;
pub use gcs::GcsConfig;
pub use s3::S3Config;

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
    /// A container of an Azure Blob Storage account.
    AzureBlob(AzureBlobConfig),
    /// A bucket of Google Cloud Storage.
    Gcs(GcsConfig),
    /// A folder of this machine: tests, and the server's own view of its embedded storage.
    Local {
        /// The folder, which must exist.
        path: PathBuf,
    },
    /// Memory of this process, empty at each connection: tests.
    Memory,
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
            Backend::S3(config) => config.connect(),
            Backend::AzureBlob(config) => config.connect(),
            Backend::Gcs(config) => config.connect(),
        }
    }

    /// The prefix as a path.
    pub fn prefix(&self) -> Result<Path> {
        Path::parse(&self.prefix).map_err(|e| Error::InvalidConfig { why: e.to_string() })
    }
}

/// What the clients of all services have in common: time limits, and whom to trust.
///
/// Whoever names an authority means that one and no other, and without TLS there is nothing to
/// verify: machines without system certificates work, too.
fn client_options(endpoint: Option<&str>, ca_certificate: Option<&str>) -> Result<ClientOptions> {
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut options = ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(STORE_CONNECT_TIMEOUT)
        .with_timeout(STORE_REQUEST_TIMEOUT);
    if let Some(pem) = ca_certificate {
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(invalid)?;
        if certificates.is_empty() {
            return Err(refused("caCertificate holds no certificate"));
        }
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options.with_no_system_certificates(ca_certificate.is_some() || plain))
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: STORE_BACKOFF,
            ..BackoffConfig::default()
        },
        max_retries: STORE_CLIENT_RETRIES,
        retry_timeout: STORE_RETRY_TIMEOUT,
    }
}

/// Without TLS a token or a shared access signature is read by whoever is on the way, and used.
/// Emulators on the same machine are the exception.
fn refuse_secret_in_the_clear(endpoint: Option<&str>, what: &str) -> Result<()> {
    let Some(rest) = endpoint.and_then(|endpoint| endpoint.strip_prefix("http://")) else {
        return Ok(());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, _port)) if !host.is_empty() => host,
        _ => host,
    };
    if matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
        return Ok(());
    }
    Err(refused(&format!(
        "the endpoint is not https, and {what} would be sent in the clear"
    )))
}

fn invalid(error: object_store::Error) -> Error {
    Error::InvalidConfig { why: chain(&error) }
}

fn refused(why: &str) -> Error {
    Error::InvalidConfig { why: why.into() }
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
