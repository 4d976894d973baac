//! One API server and one credential for it.
//!
//! [`Cluster`] is the only door of this crate to the network. Every request goes through its one
//! function that bounds the time and the size of the answer and turns whatever goes wrong into a
//! [`ClusterError`], which says what was being done and what the reader can do about it.

mod error;
mod kubeconfig;
mod request;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request};
use kube::Client;
use serde::Deserialize;

pub use self::error::{ClusterError, Failure, FieldCause};
pub use self::kubeconfig::KubeconfigError;
use self::request::Destination;
pub(crate) use self::request::with_body;
pub use self::request::{Reply, path_of, segment};
use crate::limits;

/// How long things may take. Arguments, not constants, so that a test need not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to come up.
    pub connect: Duration,
    /// For one request, from its first byte to the last byte of its answer.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: limits::CONNECT_TIMEOUT,
            request: limits::REQUEST_TIMEOUT,
        }
    }
}

/// How often and how patiently a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Attempts after the first one.
    pub times: u32,
    /// The first wait when the server names none; it doubles.
    pub first: Duration,
    /// The longest single wait, also when the server asks for more.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: limits::RETRIES,
            first: limits::FIRST_BACKOFF,
            longest: limits::LONGEST_BACKOFF,
        }
    }
}

impl Retries {
    /// No second attempt: for probes that must answer at once.
    pub const NONE: Self = Self {
        times: 0,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };

    /// The wait before attempt `attempt + 1`, given what the server asked for.
    #[must_use]
    pub fn wait(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt));
        asked.unwrap_or(doubled).min(self.longest)
    }
}

/// What the API server says of itself at `/version`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// As in `v1.36.3`.
    pub git_version: String,
    /// Major number, as text: some servers add a `+`.
    pub major: String,
    /// Minor number, as text.
    pub minor: String,
    /// As in `linux/amd64`.
    #[serde(default)]
    pub platform: String,
}

/// What API servers and their audit logs see of us.
const USER_AGENT: &str = concat!("strongroom/", env!("CARGO_PKG_VERSION"));

/// One API server and one credential for it. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// What is needed to make a second client of the same server; absent in tests.
    config: Option<Arc<kube::Config>>,
    server: Arc<str>,
    timeouts: Timeouts,
    retries: Retries,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster from an uploaded kubeconfig. Only its current context is looked at. Whatever would
    /// make this process run a command or read a file of its own machine is refused, see
    /// [`KubeconfigError`]. No connection is made yet. Must be called inside a tokio runtime.
    pub fn from_kubeconfig(yaml: &str, timeouts: Timeouts) -> Result<Self, ClusterError> {
        let config = kubeconfig::vetted(yaml).map_err(|error| {
            ClusterError::new("read the kubeconfig", Failure::Kubeconfig(error))
        })?;
        Self::from_config(config, timeouts)
    }

    /// The cluster in which this process runs as a pod, with its service account. Token and CA are
    /// read again as the kubelet renews them. Must be called inside a tokio runtime.
    pub fn in_cluster(timeouts: Timeouts) -> Result<Self, ClusterError> {
        let config = kube::Config::incluster_env().map_err(|error| {
            let failure = Failure::NotInCluster {
                cause: error.to_string(),
            };
            ClusterError::new("find the cluster that this process runs in", failure)
        })?;
        Self::from_config(config, timeouts)
    }

    /// A cluster behind any client: an in-memory API server in tests.
    pub fn from_client(client: Client, timeouts: Timeouts, retries: Retries) -> Self {
        Self {
            client,
            config: None,
            server: "in-memory".into(),
            timeouts,
            retries,
        }
    }

    fn from_config(mut config: kube::Config, timeouts: Timeouts) -> Result<Self, ClusterError> {
        config.connect_timeout = Some(timeouts.connect);
        config.read_timeout = Some(limits::IDLE_TIMEOUT);
        let agent = http::HeaderValue::from_static(USER_AGENT);
        config.headers = vec![(http::header::USER_AGENT, agent)];
        // Retries are this crate's own, bounded ones: kube's would wait up to 1,000 s, 15 times.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config.clone()).map_err(|error| {
            let failure = Failure::Kubeconfig(KubeconfigError::Credentials {
                cause: error::chain(&error),
            });
            ClusterError::new(format!("prepare the connection to {server}"), failure)
        })?;
        Ok(Self {
            client,
            config: Some(Arc::new(config)),
            server: server.trim_end_matches('/').into(),
            timeouts,
            retries: Retries::default(),
        })
    }

    /// The same server and the same CA with `token` as the only credential: client certificates,
    /// passwords and impersonation of the original are dropped.
    pub fn with_bearer_token(&self, token: &str) -> Result<Self, ClusterError> {
        let Some(config) = &self.config else {
            return Ok(self.clone());
        };
        let mut config = kube::Config::clone(config);
        config.auth_info = kube::config::AuthInfo {
            token: Some(token.to_owned().into()),
            ..kube::config::AuthInfo::default()
        };
        Self::from_config(config, self.timeouts).map(|other| other.with_retries(self.retries))
    }

    /// The same cluster with other retries.
    #[must_use]
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// How often its requests are sent again.
    pub fn retries(&self) -> Retries {
        self.retries
    }

    /// The client beneath, for watches and controllers. What goes through it has kube's own errors;
    /// [`ClusterError::from_kube`] turns them into ours.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client with connections of its own. An exec that fails ends its connection from the server's side,
    /// and a shared pool would hand that to whoever comes next.
    pub(crate) fn client_apart(&self) -> Client {
        let config = self.config.as_deref().cloned();
        let apart = config.and_then(|config| Client::try_from(config).ok());
        apart.unwrap_or_else(|| self.client())
    }

    /// The API server's address, without credentials.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Asks for the server's version. The cheapest sign of life: needs no right beyond being
    /// authenticated (`system:public-info-viewer`).
    pub async fn version(&self) -> Result<Version, ClusterError> {
        self.get_json("/version", "ask for the version").await
    }

    /// Sends one request with retries and returns the body of a good answer.
    pub async fn raw(&self, request: Request<Vec<u8>>) -> Result<Bytes, ClusterError> {
        let doing = format!("{} {}", request.method(), request.uri().path());
        self.call(request, &doing).await.map(|reply| reply.body)
    }

    /// GET of a path, parsed.
    pub(crate) async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        doing: &str,
    ) -> Result<T, ClusterError> {
        let reply = self
            .call(request::build(Method::GET, path, doing)?, doing)
            .await?;
        reply.json(doing)
    }

    /// Sends one request, again as often as the retries allow, and returns the good answer.
    ///
    /// A 429 was not carried out; a 503, 504 or a connection lost in mid-request may have been. The
    /// callers live with that: a create that was carried out unheard is seen as "already exists",
    /// and every other request can be repeated without harm.
    pub(crate) async fn call(
        &self,
        request: Request<Vec<u8>>,
        doing: &str,
    ) -> Result<Reply, ClusterError> {
        let into = Destination {
            most_bytes: limits::RESPONSE_BYTES,
            room: &BytesMut::new,
            glance: &|_| (),
        };
        let reply = self.sent(request, doing, into).await?;
        Ok(reply.frozen())
    }

    /// [`Cluster::call`] with its own limit for the answer's bytes, which are read into a room that is
    /// made (again for each attempt) when they come. `glance` sees the first of them, once for each
    /// attempt, while the others are still to come.
    pub(crate) async fn call_into(
        &self,
        request: Request<Vec<u8>>,
        doing: &str,
        most_bytes: usize,
        room: &(dyn Fn() -> BytesMut + Sync),
        glance: &(dyn Fn(&[u8]) + Sync),
    ) -> Result<BytesMut, ClusterError> {
        let into = Destination {
            most_bytes,
            room,
            glance,
        };
        let reply = self.sent(request, doing, into).await?;
        Ok(reply.body)
    }

    async fn sent(
        &self,
        request: Request<Vec<u8>>,
        doing: &str,
        into: Destination<'_>,
    ) -> Result<Reply<BytesMut>, ClusterError> {
        // Shared bytes, so that another attempt copies nothing.
        let request = request.map(Bytes::from);
        let mut attempt = 0;
        loop {
            let outcome = self.once(request.clone(), into).await;
            let failure = match outcome {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if attempt >= self.retries.times || !failure.passes_by_itself() {
                return Err(ClusterError::new(doing, failure));
            }
            let wait = self.retries.wait(attempt, failure.retry_after());
            tracing::debug!(
                cluster.server = %self.server, attempt, wait_ms = wait.as_millis() as u64,
                error = %failure, "asking the API server again: {doing}"
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        request: Request<Bytes>,
        into: Destination<'_>,
    ) -> Result<Reply<BytesMut>, Failure> {
        let limit = self.timeouts.request;
        tokio::time::timeout(limit, request::exchange(self, request, into))
            .await
            .unwrap_or(Err(Failure::Timeout { limit }))
    }
}

#[cfg(test)]
mod tests;
