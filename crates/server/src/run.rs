//! The server's wiring: configuration, data directory, keys, store, certificates, routes, workers,
//! and an orderly end.

mod master_key;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustix::system::uname;
use tokio::sync::{Notify, Semaphore, watch};
use url::Url;
use uuid::Uuid;

use crate::app::admin_token::{self, AdminToken};
use crate::app::embedded_folder::EmbeddedFolder;
use crate::app::repositories::{self, StoredScopes};
use crate::app::tokens::{SigningKeyError, TokenKey};
use crate::app::{self, App, servers};
use crate::catalogue_copy::CopyError;
use crate::catalogue_rebuild::RebuildError;
use crate::cluster_link::KubernetesLink;
use crate::config::{Config, ConfigError, ServerOptions};
use crate::connections;
use crate::data_dir::{DataDir, DataDirError, write_public};
use crate::data_plane::{DataPlane, is_data_plane_request};
use crate::environment::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::http::{SHUTDOWN_GRACE, router};
use crate::identity_provider::{IdentityProvider, SetupError};
use crate::metrics::Metrics;
use crate::secrets::SecretError;
use crate::store::postgres::PostgresDatabase;
use crate::store::sqlite::SqliteDatabase;
use crate::store::{Store, StoreError};
use crate::tls::{self, Authority, LEAF_RENEWAL, TlsError};
use crate::worker::forward_audit::{Receiver, Unreceived};
use crate::worker::{self, Duties, crash::CrashPoint, limits::PURGES_AT_ONCE};

/// Between two looks at whether the administrator's token reached its lifetime: nobody is let in
/// from its end until the next look.
const TOKEN_LOOK: Duration = Duration::from_secs(30);

/// The setting that holds the id of the tenant.
pub(crate) const TENANT_ID: &str = "tenant-id";

/// Why a server did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store.
    #[error("the store of the catalogue cannot be used")]
    Store(#[from] StoreError),
    /// The master key.
    #[error("the master key in the data directory cannot be used")]
    MasterKey(#[from] SecretError),
    /// The database holds secrets, but the key that opens them is gone.
    #[error(
        "{path} is missing, and without it the secrets in the database cannot be read; restore it \
         from a backup of the data directory, or copy `keys` and `tls` from that of another server \
         of this catalogue"
    )]
    MasterKeyLost {
        /// Where it should be.
        path: String,
    },
    /// The database holds secrets that another key opens.
    #[error(
        "{path} is not the key of the secrets in the database; restore it from a backup of the data \
         directory, or copy `keys` and `tls` from that of another server of this catalogue"
    )]
    MasterKeyOther {
        /// Where the wrong one is.
        path: String,
    },
    /// The key of access tokens.
    #[error(
        "the key that signs access tokens, keys/token.key in the data directory, cannot be used"
    )]
    TokenKey(#[from] SigningKeyError),
    /// The identity provider.
    #[error("the identity provider cannot be used")]
    IdentityProvider(#[from] SetupError),
    /// The first writes.
    #[error("the control plane could not be set up")]
    App(#[from] app::Error),
    /// Certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The listener.
    #[error("could not listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The folder of the embedded storage accounts.
    #[error("the folder of the embedded storage accounts cannot be used")]
    DataPlane(#[source] std::io::Error),
    /// The receiver of the audit log cannot be used as it is set.
    #[error("the receiver of the audit log cannot be used")]
    AuditReceiver(#[from] Unreceived),
    /// A copy of the catalogue was not made or not restored.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A catalogue was not rebuilt.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// Serving ended with an error.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

/// Reads the configuration and returns the effective one as TOML; changes nothing.
pub fn check_config(options: &ServerOptions) -> Result<String, RunError> {
    let config = load(options)?;
    tls::given(&config.tls)?;
    let provider = config.identity_provider.clone();
    provider.map(IdentityProvider::new).transpose()?;
    Ok(config.to_toml())
}

pub(crate) fn load(options: &ServerOptions) -> Result<Config, ConfigError> {
    Config::load(options, |name| std::env::var(name).ok())
}

/// Runs a server until it receives SIGINT or SIGTERM.
pub async fn run(options: ServerOptions) -> Result<(), RunError> {
    let config = load(&options)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let dir = DataDir::open(&config.data_dir)?;
    dir.forget_address();

    let listener = listen(config.listen)?;
    let address = listener.local_addr().map_err(RunError::Serve)?;
    let advertise_url = match &config.advertise_url {
        Some(url) => url.clone(),
        None => own_url(address)?,
    };

    let store = match &config.database_url {
        Some(url) => Store::new(PostgresDatabase::open(url.expose()).await?),
        None => Store::new(SqliteDatabase::open(&dir.database()?).await?),
    };
    let keys = master_key::open(&dir, &store, &*entropy).await?;
    let server_id = dir.server_id(&*entropy)?;
    let admin_token = AdminToken::open(
        dir.admin_token(),
        config.admin_token_lifetime(),
        servers::has_another(&store, server_id).await?,
        &store,
        &*clock,
        &*entropy,
    )
    .await?;
    let blobs = config.blobs_dir.clone().unwrap_or_else(|| dir.blobs());
    let blobs = EmbeddedFolder::open(blobs, &store, &*entropy).await?;
    let token_key = TokenKey::open(&dir.token_key())?;
    let identity_provider = config.identity_provider.clone();
    let identity_provider = identity_provider.map(IdentityProvider::new).transpose()?;
    let tenant_id = tenant_id(&store, &*entropy).await?;
    let authority = Authority::open(&dir, clock.now())?;

    let app = Arc::new(App {
        server_id,
        store,
        keys,
        clock,
        entropy,
        blobs,
        advertise_url,
        ca_certificate_pem: authority.certificate_pem().to_owned(),
        admin_token,
        token_key,
        identity_provider,
        tenant_id,
        metrics: Arc::new(Metrics::default()),
        jobs_changed: Notify::new(),
        policy_changed: Notify::new(),
        clusters: Arc::new(KubernetesLink::new(Arc::new(SystemClock))),
        extension_image: config.extension.image.clone(),
        job_limits: config.jobs.limits(),
        purges: Semaphore::new(PURGES_AT_ONCE),
        verifications: crate::app::verification::Verifications::default(),
        readiness: crate::app::readiness::Readiness::default(),
        failed_sign_ins: crate::app::failed_sign_ins::FailedSignIns::default(),
        crash: CrashPoint::from_environment(dir.root()),
    });
    app::resource_groups::ensure_default_subscription(&app).await?;
    if config.admin_token_lifetime().is_some() {
        tokio::spawn(renew_admin_token(Arc::clone(&app)));
    }
    serve(&app, &config, &dir, authority, listener, address).await?;
    app.store.close().await;
    Ok(())
}

async fn serve(
    app: &Arc<App>,
    config: &Config,
    dir: &DataDir,
    authority: Authority,
    listener: TcpListener,
    address: SocketAddr,
) -> Result<(), RunError> {
    let names = tls::names(
        &uname().nodename().to_string_lossy(),
        address.ip(),
        app.advertise_url.host_str(),
        &config.tls.names,
    );
    let given = tls::given(&config.tls)?;
    let renew = given.is_none();
    let serving = match given {
        Some(given) => given,
        None => authority.issue(&names, app.now())?,
    };
    let certificates = RustlsConfig::from_config(serving);
    if renew {
        let (app, certificates) = (Arc::clone(app), certificates.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LEAF_RENEWAL).await;
                match authority.issue(&names, app.now()) {
                    Ok(renewed) => certificates.reload_from_config(renewed),
                    Err(error) => {
                        tracing::error!(error = %error, "the certificate was not renewed");
                    }
                }
            }
        });
    }

    let limit = Duration::from_secs(config.limits.request_seconds.max(1));
    let data_plane = DataPlane::open(
        app.blobs.path().to_owned(),
        repositories::issuer(app),
        Arc::new(StoredScopes(Arc::clone(app))),
        app.metrics.data_plane.clone(),
    )
    .map_err(RunError::DataPlane)?;
    if let Some(settings) = &config.audit_receiver {
        // Opened when the work begins; what keeps it from that is better told now.
        Receiver::open(settings)?;
    }
    let duties = Duties {
        data_plane: data_plane.clone(),
        audit_receiver: config.audit_receiver.clone(),
    };
    let service = router(Arc::clone(app), limit)
        .layer(from_fn_with_state(data_plane.clone(), serve_data_plane));
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(worker::run(Arc::clone(app), duties, stopped));
    let handle = Handle::new();
    tokio::spawn(stop_on_signal(handle.clone()));
    tell_address(dir, address)?;
    connections::bounded(listener, certificates)
        .map_err(RunError::Serve)?
        .handle(handle)
        .serve(service.into_make_service_with_connect_info::<SocketAddr>())
        .await
        .map_err(RunError::Serve)?;
    // The worker stops at the next moment at which nothing is under way; if it is gone, it stopped.
    let _ = stop.send(true);
    let _ = worker.await;
    dir.forget_address();
    tracing::info!("stopped");
    Ok(())
}

/// Hands requests that carry an S3 signature to the data plane; all others go on.
async fn serve_data_plane(
    State(data_plane): State<DataPlane>,
    request: Request,
    next: Next,
) -> Response {
    if is_data_plane_request(&request) {
        data_plane.handle(request).await
    } else {
        next.run(request).await
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Writes where the server listens to `server.json` and to the log; from here on it answers.
fn tell_address(dir: &DataDir, address: SocketAddr) -> Result<(), RunError> {
    let url = own_url(address)?;
    let facts = serde_json::json!({
        "url": url.as_str().trim_end_matches('/'),
        "pid": std::process::id(),
        "caCertificate": dir.ca_certificate(),
        "tokenFile": dir.admin_token(),
    });
    write_public(&dir.server_json(), facts.to_string().as_bytes())?;
    tracing::info!(
        url = url.as_str().trim_end_matches('/'),
        data_dir = %dir.root().display(),
        "ready"
    );
    Ok(())
}

/// The address on this machine, for who was told none.
fn own_url(address: SocketAddr) -> Result<Url, RunError> {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    Url::parse(&format!("https://{}", SocketAddr::new(ip, address.port())))
        .map_err(|error| RunError::Serve(std::io::Error::other(error)))
}

/// Replaces the administrator's token whenever its lifetime is over.
async fn renew_admin_token(app: Arc<App>) {
    loop {
        tokio::time::sleep(TOKEN_LOOK).await;
        if let Err(error) = admin_token::renew(&app).await {
            tracing::error!(
                error = app::error::chain(&error),
                "the administrator's token reached its lifetime and was not replaced"
            );
        }
    }
}

/// Reads the id of the tenant, or makes it at the first start.
async fn tenant_id(store: &Store, entropy: &dyn Entropy) -> Result<Uuid, RunError> {
    let mut session = store.begin().await?;
    let stored = session.setting(TENANT_ID).await?;
    if let Some(id) = stored
        .as_deref()
        .and_then(|text| Uuid::parse_str(text).ok())
    {
        return Ok(id);
    }
    let id = entropy.id();
    session.put_setting(TENANT_ID, &id.to_string()).await?;
    session.commit().await?;
    Ok(id)
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    handle.graceful_shutdown(Some(SHUTDOWN_GRACE));
}
