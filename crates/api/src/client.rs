//! A typed client of the contract: what the command line, the tests and the demo drive the server
//! with.
//!
//! Contract: every call ends (bounded retries, bounded time, bounded size); the bearer token goes to
//! the configured server and nowhere else (no redirects, and links in answers are taken back to that
//! server); only TLS is spoken, except to this very machine; with a pinned CA nothing else is
//! trusted. Errors carry what the server said of them ([`ApiError`]).
//!
//! Long-running operations and paging follow what published ARM clients do: see [`operation`] and
//! [`paging`].

mod actions;
pub mod collection;
pub mod device;
pub mod download;
pub mod error;
pub mod id;
pub mod operation;
pub mod paging;
mod sign_in;
mod transport;

#[cfg(test)]
mod tests;

pub use collection::Collection;
pub use device::DeviceSignIn;
pub use download::Download;
pub use error::{ApiError, ClientError};
pub use operation::{LongRunning, Progress};
pub use paging::Pages;
pub use sign_in::{ServicePrincipal, SignedIn};

use std::sync::{Arc, RwLock};
use std::time::Duration;

use url::Url;

use crate::secret::Secret;

/// Time for one request, answer included. Requests here are small; a minute is a server that hangs.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Time to open a connection: a machine that is there answers well within it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the server is and how to be let in.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// For example `https://backup.example.org:8443`; a path in it is kept as a prefix.
    pub server: String,
    /// The bearer token; without one only the health routes answer.
    pub token: Option<Secret>,
    /// Who signs in when there is no token, and again when it ended.
    pub service_principal: Option<ServicePrincipal>,
    /// PEM of the CA (or CAs) to trust instead of the machine's own.
    pub ca_certificate: Option<String>,
    /// Time for one request.
    pub request_timeout: Duration,
    /// Time to open a connection.
    pub connect_timeout: Duration,
    /// How long to pause where the server does not say so.
    pub pace: Pace,
}

/// Pauses between calls. `Retry-After` of the server comes before the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Before a call is sent again the first time; it doubles each time.
    pub retry: Duration,
    /// Between two looks at a running operation.
    pub poll: Duration,
    /// Between two tries while the server is out of reach.
    pub outage: Duration,
}

impl Default for Pace {
    /// 0.25 s, 0.5 s, 1 s bridge a server that restarts; 2 s and 1 s are what a person can bear.
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(250),
            poll: Duration::from_secs(2),
            outage: Duration::from_secs(1),
        }
    }
}

impl ClientOptions {
    /// The server with the usual times, no token and the machine's own trust.
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            token: None,
            service_principal: None,
            ca_certificate: None,
            request_timeout: REQUEST_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            pace: Pace::default(),
        }
    }
}

/// A client; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    base: Url,
    token: RwLock<Option<Secret>>,
    service_principal: Option<ServicePrincipal>,
    http: reqwest::Client,
    pace: Pace,
}

impl Client {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`ClientError::Settings`] when the URL is not one, is not TLS (and not this machine), or the
    /// CA is not PEM, or the token cannot be one.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let base = parse_server(&options.server)?;
        if options
            .token
            .as_ref()
            .is_some_and(|token| !is_token(token.expose()))
        {
            return Err(ClientError::settings(
                "the token is not one: it is empty or holds spaces or unprintable characters",
            ));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("strongroom/", env!("CARGO_PKG_VERSION")))
            .timeout(options.request_timeout)
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            // A proxy cannot reach this machine's own loopback address.
            builder = builder.no_proxy();
        }
        if let Some(pem) = &options.ca_certificate {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| {
                    ClientError::settings(format!("the CA certificate is not valid PEM: {error}"))
                })?;
            if certificates.is_empty() {
                return Err(ClientError::settings(
                    "the CA certificate holds no PEM certificate",
                ));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(|error| {
            ClientError::settings(format!("TLS cannot be set up: {}", error::chain(&error)))
        })?;
        let inner = Inner {
            base,
            token: RwLock::new(options.token),
            service_principal: options.service_principal,
            http,
            pace: options.pace,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The server's URL.
    #[must_use]
    pub fn server(&self) -> &Url {
        &self.inner.base
    }
}

fn parse_server(text: &str) -> Result<Url, ClientError> {
    let url = Url::parse(text)
        .map_err(|error| ClientError::settings(format!("'{text}' is not a server URL: {error}")))?;
    let usable = url.host().is_some() && url.query().is_none() && url.fragment().is_none();
    let plain = url.username().is_empty() && url.password().is_none();
    if !usable || !plain || !matches!(url.scheme(), "https" | "http") {
        return Err(ClientError::settings(format!(
            "'{text}' is not a server URL: expected https://HOST[:PORT]"
        )));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(ClientError::settings(format!(
            "'{text}' is not TLS: a token must not travel in the clear; use https://"
        )));
    }
    Ok(url)
}

/// What can stand in a header after `Bearer `.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
