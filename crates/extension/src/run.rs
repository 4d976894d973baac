//! The extension's process: everything is wired here and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use strongroom_core::limits::{FREEZE_BUDGET, FREEZE_BUDGET_MAX, FREEZE_BUDGET_VARIABLE};
use strongroom_kubernetes::crd::{Backup, Restore};
use strongroom_kubernetes::jobs::{is_forget, is_preview};
use strongroom_kubernetes::{Cluster, ClusterError, Timeouts};
use strongroom_repository::SystemEntropy;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::controller::backup::BackupWork;
use crate::controller::forget::ForgetWork;
use crate::controller::preview::PreviewWork;
use crate::controller::restore::RestoreWork;
use crate::controller::{Controller, Queue};
use crate::crash::{CrashPoints, UnknownPlace};
use crate::environment::{Environment, MissingSnapshots, RealStores, StorageNote};
use crate::health;
use crate::hooks::Keeper;
use crate::key::{self, KeyError};
use crate::limits::{
    NAMESPACE_GONE_WAIT, SHUTDOWN_GRACE, STATUS_INTERVAL, UNREACHABLE_GRACE,
    UNREACHABLE_GRACE_VARIABLE, UNREACHABLE_PAUSE,
};
use crate::publication::Publication;
use crate::restore;
use crate::volumes::Reconciler;

/// How the extension is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionOptions {
    /// Namespace of its custom resources and its key.
    pub namespace: String,
    /// Runs outside the cluster with this kubeconfig; for development and tests. Inside, the pod's
    /// service account is used. Like any uploaded kubeconfig it must hold its credentials itself.
    pub kubeconfig: Option<PathBuf>,
    /// Where `/healthz` and `/readyz` are answered.
    pub health_listen: SocketAddr,
    /// The program's version, as published to the vault.
    pub version: String,
}

impl Default for ExtensionOptions {
    fn default() -> Self {
        Self {
            namespace: strongroom_kubernetes::EXTENSION_NAMESPACE.to_owned(),
            kubeconfig: None,
            health_listen: SocketAddr::from(([0, 0, 0, 0], 8081)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Why the extension could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kubeconfig could not be read.
    #[error("could not read the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no way to the API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The port of the health endpoints could not be opened.
    #[error("could not listen on {address} for health checks: {source}")]
    Health {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Signals could not be listened for.
    #[error("could not listen for signals: {0}")]
    Signals(std::io::Error),
    /// The crash point for tests names no place.
    #[error(transparent)]
    CrashPoint(#[from] UnknownPlace),
    /// A task that must not end has ended: a defect.
    #[error("a task of the extension was lost ({0}); the next process continues its jobs")]
    LostTask(String),
    /// A variable is no number of seconds.
    #[error("{name} is {told:?}; it takes a whole number of seconds")]
    NotSeconds {
        /// The variable.
        name: &'static str,
        /// What it says.
        told: String,
    },
}

/// Runs the extension until SIGTERM or SIGINT. Returns within [`SHUTDOWN_GRACE`] of the signal;
/// jobs in hand are continued by the next process.
///
/// # Errors
/// See [`RunError`].
pub async fn run(options: ExtensionOptions) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let crash = CrashPoints::from_env()?;
    let unreachable_grace = seconds(UNREACHABLE_GRACE_VARIABLE, UNREACHABLE_GRACE)?;
    let freeze_budget = seconds(FREEZE_BUDGET_VARIABLE, FREEZE_BUDGET)?.min(FREEZE_BUDGET_MAX);
    let cluster = connect(&options)?;
    let listener = health::bind(options.health_listen)
        .await
        .map_err(|source| RunError::Health {
            address: options.health_listen,
            source,
        })?;
    let keys = tokio::select! {
        keys = key::load_or_create(&cluster, &options.namespace, &SystemEntropy) => keys?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let environment = Arc::new(Environment {
        cluster,
        namespace: options.namespace,
        keys,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        stores: Arc::new(RealStores),
        crash,
        status_interval: STATUS_INTERVAL,
        unreachable_pause: UNREACHABLE_PAUSE,
        unreachable_grace,
        namespace_gone_wait: NAMESPACE_GONE_WAIT,
        snapshot_waits: crate::volumes::Waits::default(),
        job_ended: tokio::sync::Notify::new(),
        freeze_budget,
        freezes: crate::hooks::Freezes::default(),
        storage: StorageNote::default(),
        missing_snapshots: MissingSnapshots::default(),
    });
    let publication = Publication::new(Arc::clone(&environment), options.version);
    let shutdown = CancellationToken::new();
    let mut background = JoinSet::new();
    background.spawn(health::serve(listener, publication.published()));
    let mut jobs = controllers(&environment, &shutdown, &mut background);
    jobs.spawn(Reconciler::new(Arc::clone(&environment), shutdown.clone()).run());
    tokio::select! {
        () = publication.run() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        lost = first_end(&mut jobs) => return Err(RunError::LostTask(lost)),
        lost = first_end(&mut background) => return Err(RunError::LostTask(lost)),
    }
    tracing::info!("shutting down; the next process continues the jobs in hand");
    shutdown.cancel();
    let farewell = async {
        while jobs.join_next().await.is_some() {}
        // Nobody is harmed when this is lost: the heartbeat ends either way.
        let _ = publication.publish(false).await;
    };
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, farewell).await;
    Ok(())
}

/// Resolves when a task ends that is to run until the process is told to stop, and says how. With one
/// of them gone the heartbeat would go on over a process that does no work: its end makes Kubernetes
/// start another, which continues the jobs.
async fn first_end(tasks: &mut JoinSet<()>) -> String {
    match tasks.join_next().await {
        Some(Ok(())) => "it ended by itself".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => std::future::pending().await,
    }
}

/// The time that a variable tells, or the default.
fn seconds(name: &'static str, default: Duration) -> Result<Duration, RunError> {
    told_seconds(name, std::env::var(name).ok(), default)
}

fn told_seconds(
    name: &'static str,
    told: Option<String>,
    default: Duration,
) -> Result<Duration, RunError> {
    let Some(told) = told.filter(|told| !told.is_empty()) else {
        return Ok(default);
    };
    let seconds = told.parse().map(Duration::from_secs);
    seconds.map_err(|_not_a_number| RunError::NotSeconds { name, told })
}

fn connect(options: &ExtensionOptions) -> Result<Cluster, RunError> {
    let Some(path) = &options.kubeconfig else {
        return Ok(Cluster::in_cluster(Timeouts::default())?);
    };
    let yaml = std::fs::read_to_string(path).map_err(|source| RunError::Kubeconfig {
        path: path.clone(),
        source,
    })?;
    Ok(Cluster::from_kubeconfig(&yaml, Timeouts::default())?)
}

/// Starts the controllers of both kinds and what feeds them. The controllers end on shutdown; the
/// feeds end when their set is dropped.
pub fn controllers(
    environment: &Arc<Environment>,
    shutdown: &CancellationToken,
    feeds: &mut JoinSet<()>,
) -> JoinSet<()> {
    let Environment {
        cluster, namespace, ..
    } = &**environment;
    let (backups, feed) = Queue::of::<Backup>(cluster, namespace);
    feeds.spawn(feed);
    let (restores, feed) = Queue::of::<Restore>(cluster, namespace);
    feeds.spawn(feed);
    feeds.spawn(restore::volumes::leftovers::tidy_up(Arc::clone(
        environment,
    )));
    let mut jobs = JoinSet::new();
    let environment = || Arc::clone(environment);
    jobs.spawn(Keeper::new(environment(), shutdown.clone()).run());
    let previews = backups.clone().only(is_preview);
    let forgets = backups.clone().only(is_forget);
    let backups = backups.only(|name| !is_preview(name) && !is_forget(name));
    jobs.spawn(Controller::new(environment(), ForgetWork, forgets, shutdown.clone()).run());
    jobs.spawn(Controller::new(environment(), PreviewWork, previews, shutdown.clone()).run());
    jobs.spawn(
        Controller::new(
            environment(),
            BackupWork::default(),
            backups,
            shutdown.clone(),
        )
        .run(),
    );
    jobs.spawn(Controller::new(environment(), RestoreWork, restores, shutdown.clone()).run());
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_controller_that_panics_or_ends_is_not_passed_over() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("injected") });
        assert!(first_end(&mut tasks).await.contains("panicked"));
        tasks.spawn(async {});
        assert_eq!(first_end(&mut tasks).await, "it ended by itself");
    }

    #[test]
    fn a_time_is_the_default_unless_told_in_seconds() {
        let time = |told: Option<&str>| {
            let told = told.map(str::to_owned);
            told_seconds(UNREACHABLE_GRACE_VARIABLE, told, UNREACHABLE_GRACE).ok()
        };
        assert_eq!(time(None), Some(UNREACHABLE_GRACE));
        assert_eq!(time(Some("")), Some(UNREACHABLE_GRACE));
        assert_eq!(time(Some("5")), Some(Duration::from_secs(5)));
        assert_eq!(time(Some("5s")), None);
    }
}
