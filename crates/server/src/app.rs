//! Use cases: what the control plane does, one file per noun. The only place that opens a
//! transaction; knows nothing of HTTP.
//!
//! [`App`] is everything a use case may touch: the store, the keys, the time, randomness, and where
//! this server is reached.

pub mod admin_token;
pub mod audit;
pub mod backup_jobs;
pub mod clusters;
pub mod descriptions;
pub mod embedded_folder;
pub mod error;
pub mod export_jobs;
pub mod extension;
pub mod failed_sign_ins;
pub mod guards;
pub mod id;
pub mod immutability;
pub mod instances;
pub mod jobs;
pub mod limits;
pub mod missing_roles;
pub mod operations;
pub mod policies;
pub mod policy_preview;
pub mod preview;
pub mod readiness;
pub mod reconcile;
pub mod recovery_points;
pub mod report;
pub mod repositories;
pub mod resource_groups;
pub mod resources;
pub mod retention;
pub mod role_assignments;
pub mod schedules;
pub mod servers;
pub mod service_principals;
pub mod snapshot_groups;
pub mod storage_accounts;
pub mod tokens;
pub mod trusted_access;
pub mod validation;
pub mod vaults;
pub mod verification;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cluster_link::ClusterLink;
use crate::environment::{Clock, Entropy};
use crate::identity_provider::IdentityProvider;
use crate::metrics::Metrics;
use crate::secrets::MasterKey;
use crate::store::{Session, Store};
use crate::worker::crash::CrashPoint;
use crate::worker::limits::JobLimits;
use admin_token::AdminToken;
use embedded_folder::EmbeddedFolder;

pub use error::{Error, Result};
pub use id::ResourceId;

/// The control plane's state, shared by every request and worker.
pub struct App {
    /// Which server this is, among those that share the catalogue.
    pub server_id: Uuid,
    /// What it knows.
    pub store: Store,
    /// Seals secrets at rest.
    pub keys: MasterKey,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Folder of the embedded storage accounts.
    pub blobs: EmbeddedFolder,
    /// How extensions reach this server.
    pub advertise_url: Url,
    /// The authority that signed this server's certificate, PEM: what extensions pin.
    pub ca_certificate_pem: String,
    /// The administrator's token.
    pub admin_token: AdminToken,
    /// Signs the access tokens of service principals.
    pub token_key: tokens::TokenKey,
    /// Whose tokens let people in, besides.
    pub identity_provider: Option<IdentityProvider>,
    /// The tenant that identities name; made at the first start.
    pub tenant_id: Uuid,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Woken whenever a job was made or changed: the worker need not wait for its next look.
    pub jobs_changed: Notify,
    /// Woken when a policy that instances follow was edited: retention need not wait for its next look.
    pub policy_changed: Notify,
    /// The way into clusters.
    pub clusters: Arc<dyn ClusterLink>,
    /// Image of the extension when its settings name none.
    pub extension_image: String,
    /// How long jobs may wait for what they need.
    pub job_limits: JobLimits,
    /// Turns of purges; see [`PURGES_AT_ONCE`](crate::worker::limits::PURGES_AT_ONCE).
    pub purges: Semaphore,
    /// Verifications of recovery points at work.
    pub verifications: verification::Verifications,
    /// Whether the store was seen to take writes.
    pub readiness: readiness::Readiness,
    /// Sign-ins at the token endpoint that failed lately.
    pub failed_sign_ins: failed_sign_ins::FailedSignIns,
    /// Where a test ends this process.
    pub crash: CrashPoint,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new random id.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        self.entropy.id()
    }

    /// A value for `eTag` that no resource had before.
    #[must_use]
    pub fn new_etag(&self) -> String {
        format!("\"{}\"", self.new_id())
    }

    /// Seals a secret and writes it into a session.
    pub async fn put_secret(
        &self,
        session: &mut dyn Session,
        key: &str,
        purpose: &str,
        plaintext: &[u8],
    ) -> Result<()> {
        let sealed = self.keys.seal(key, purpose, plaintext, &*self.entropy)?;
        Ok(session.put_secret(key, purpose, &sealed).await?)
    }

    /// Reads and opens a secret.
    pub async fn secret(
        &self,
        session: &mut dyn Session,
        key: &str,
        purpose: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match session.secret(key, purpose).await? {
            Some(sealed) => Ok(Some(self.keys.open(key, purpose, &sealed)?)),
            None => Ok(None),
        }
    }
}
