//! The stage of a scenario: an API server, a store, a vault that creates custom resources, and
//! extension processes that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::RestoreCriteria;
use strongroom_core::selection::Selection;
use strongroom_kubernetes::crd::{
    BackupMode, BackupSpec, JobState, JobStatus, RestoreMode, RestoreSpec,
};
use strongroom_kubernetes::sealed::{self, JobSecrets, KeyPair};
use strongroom_kubernetes::{Cluster, EXTENSION_NAMESPACE, Retries, Timeouts, jobs};
use strongroom_repository::{
    Backend, Repository, RepositoryKey, StoreConfig, SystemEntropy, limits::REPORT_PAGE_MAX,
};
use strongroom_simulation::api_server::ApiServer;
use strongroom_simulation::object_store::FaultyStore;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::SystemClock;
use crate::crash::CrashPoints;
use crate::environment::{Environment, MissingSnapshots, StorageNote, Stores};
use crate::run::controllers;
use crate::volumes::Waits;

/// Long enough for a slow machine, short enough for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const PREFIX: &str = "instances/a";
const PRIVATE_KEY: [u8; 32] = [7; 32];
const REPOSITORY_KEY: [u8; 32] = [9; 32];

#[derive(Debug, Clone)]
struct OneStore(FaultyStore);

impl Stores for OneStore {
    fn connect(&self, _: &StoreConfig) -> strongroom_repository::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.0.clone()))
    }
}

pub(super) struct Stage {
    pub(super) api: ApiServer,
    pub(super) store: FaultyStore,
    ids: AtomicU64,
}

/// An extension process. Dropping it kills it.
pub(super) struct Process {
    jobs: JoinSet<()>,
    shutdown: CancellationToken,
    _feeds: JoinSet<()>,
}

impl Process {
    /// SIGTERM; resolves when everything has stopped.
    pub(super) async fn terminate(mut self) {
        self.shutdown.cancel();
        while self.jobs.join_next().await.is_some() {}
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::over(FaultyStore::new(Arc::new(InMemory::new()))).await
    }

    /// Another cluster over a store that there is.
    pub(super) async fn over(store: FaultyStore) -> Self {
        let api = ApiServer::start().await.unwrap();
        api.create(&json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": EXTENSION_NAMESPACE}}));
        Self {
            api,
            store,
            ids: AtomicU64::new(1),
        }
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(self.ids.fetch_add(1, Ordering::Relaxed).into())
    }

    pub(super) fn cluster(&self) -> Cluster {
        let patience = Retries {
            times: 1,
            first: Duration::ZERO,
            longest: Duration::ZERO,
        };
        let mut config = kube::Config::new(self.api.url().parse().unwrap());
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        Cluster::from_client(client, Timeouts::default(), patience)
    }

    pub(super) fn environment(&self, crash: CrashPoints) -> Arc<Environment> {
        Arc::new(Environment {
            cluster: self.cluster(),
            namespace: EXTENSION_NAMESPACE.to_owned(),
            keys: KeyPair::from_bytes(&PRIVATE_KEY).unwrap(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            stores: Arc::new(OneStore(self.store.clone())),
            crash,
            status_interval: Duration::from_millis(50),
            unreachable_pause: Duration::from_millis(5),
            unreachable_grace: Duration::from_millis(200),
            namespace_gone_wait: Duration::from_millis(300),
            snapshot_waits: Waits::default(),
            job_ended: tokio::sync::Notify::new(),
            freeze_budget: strongroom_core::limits::FREEZE_BUDGET,
            freezes: crate::hooks::Freezes::default(),
            storage: StorageNote::default(),
            missing_snapshots: MissingSnapshots::default(),
        })
    }

    /// Starts a process that does not crash.
    pub(super) fn start(&self) -> Process {
        self.start_with(CrashPoints::none())
    }

    pub(super) fn start_with(&self, crash: CrashPoints) -> Process {
        let mut feeds = JoinSet::new();
        let shutdown = CancellationToken::new();
        let jobs = controllers(&self.environment(crash), &shutdown, &mut feeds);
        Process {
            jobs,
            shutdown,
            _feeds: feeds,
        }
    }

    /// Starts a process that stops at a place and kills it there.
    pub(super) async fn kill_at(&self, place: &str) {
        let reached = Arc::new(Notify::new());
        let points = CrashPoints::hang_at(place.parse().unwrap(), Arc::clone(&reached));
        let process = self.start_with(points);
        patiently(place, reached.notified()).await;
        drop(process);
    }

    /// The secrets of a custom resource of this name, sealed to the extension.
    pub(super) fn seal(&self, name: &str) -> String {
        let store = StoreConfig {
            backend: Backend::Memory,
            prefix: String::new(),
        };
        let secrets = JobSecrets {
            store: json!(store),
            prefix: PREFIX.to_owned(),
            repository_key: BASE64.encode(REPOSITORY_KEY),
        };
        let keys = KeyPair::from_bytes(&PRIVATE_KEY).unwrap();
        let info = sealed::info(EXTENSION_NAMESPACE, name);
        let mut rng = StdRng::seed_from_u64(1);
        sealed::seal_secrets(&keys.public_key_base64(), &info, &secrets, &mut rng).unwrap()
    }

    /// The spec of a backup of everything into a new recovery point.
    pub(super) fn backup_spec(&self) -> BackupSpec {
        let job_id = self.new_id();
        BackupSpec {
            job_id,
            mode: BackupMode::Backup,
            recovery_point_id: self.new_id(),
            backup_instance_id: "/subscriptions/s/backupInstances/a".to_owned(),
            selection: Selection::default(),
            snapshot_classes: Vec::new(),
            parent_recovery_point_id: None,
            sealed: self.seal(&jobs::backup_name(job_id)),
            deadline: None,
        }
    }

    /// The spec of a backup of some namespaces.
    pub(super) fn backup_of(&self, namespaces: &[&str]) -> BackupSpec {
        let mut spec = self.backup_spec();
        let names = namespaces.iter().map(|name| (*name).to_owned()).collect();
        spec.selection.included_namespaces = Some(names);
        spec
    }

    /// The spec of a restore of everything in a recovery point.
    pub(super) fn restore_spec(&self, point: Uuid) -> RestoreSpec {
        let job_id = self.new_id();
        RestoreSpec {
            job_id,
            recovery_point_id: point,
            backup_instance_id: "/subscriptions/s/backupInstances/a".to_owned(),
            mode: RestoreMode::Apply,
            criteria: RestoreCriteria::default(),
            sealed: self.seal(&jobs::restore_name(job_id)),
            plan_digest: None,
            deadline: None,
        }
    }

    pub(super) async fn submit_backup(&self, spec: &BackupSpec) -> String {
        jobs::create_backup(&self.cluster(), EXTENSION_NAMESPACE, spec)
            .await
            .unwrap();
        jobs::backup_name(spec.job_id)
    }

    pub(super) async fn submit_restore(&self, spec: &RestoreSpec) -> String {
        jobs::create_restore(&self.cluster(), EXTENSION_NAMESPACE, spec)
            .await
            .unwrap();
        jobs::restore_name(spec.job_id)
    }

    /// The status of a custom resource once it is final.
    pub(super) async fn ended(&self, name: &str) -> JobStatus {
        let look = |api: &ApiServer| {
            let status = status(api, name)?;
            status.state.is_final().then_some(status)
        };
        match tokio::time::timeout(PATIENCE, self.api.until(look)).await {
            Ok(status) => status,
            Err(_) => panic!("{name} never ended: {:#?}", status(&self.api, name)),
        }
    }

    /// Makes a recovery point with a process of its own.
    pub(super) async fn back_up(&self, spec: &BackupSpec) -> JobStatus {
        let process = self.start();
        let name = self.submit_backup(spec).await;
        let status = self.ended(&name).await;
        drop(process);
        status
    }

    /// Restores with a process of its own.
    pub(super) async fn restore(&self, spec: &RestoreSpec) -> JobStatus {
        let process = self.start();
        let name = self.submit_restore(spec).await;
        let status = self.ended(&name).await;
        drop(process);
        status
    }

    pub(super) async fn repository(&self) -> Repository {
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let key = RepositoryKey::new(REPOSITORY_KEY);
        Repository::open_or_create(store, Path::from(PREFIX), &key, &SystemEntropy)
            .await
            .unwrap()
    }

    /// The report that a final status names.
    pub(super) async fn report(&self, job: Uuid, status: &JobStatus) -> Vec<ObjectOutcome> {
        let attempt = status
            .report_attempt
            .expect("a finished job names its report");
        let page = self
            .repository()
            .await
            .read_report(job, attempt, 0, REPORT_PAGE_MAX)
            .await
            .unwrap();
        assert!(page.complete, "the report is whole");
        page.lines
            .iter()
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// The status of a Backup or Restore.
pub(super) fn status(api: &ApiServer, name: &str) -> Option<JobStatus> {
    let kind = if name.starts_with("backup-") || jobs::is_preview(name) {
        "backups"
    } else {
        "restores"
    };
    let kind = format!("{kind}.clusterbackup.dataprotection.microsoft.com");
    let object = api.get(&kind, Some(EXTENSION_NAMESPACE), name)?;
    serde_json::from_value(object["status"].clone()).ok()
}

/// Waits, but not for ever.
pub(super) async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{what} never came"))
}

/// That a job completed, with the whole status when it did not.
pub(super) fn assert_completed(status: &JobStatus) {
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
}

/// `Outcome object` of each line, sorted: what a report says but for times and reasons.
pub(super) fn outcomes(lines: &[ObjectOutcome]) -> Vec<String> {
    let mut texts: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", line.outcome, line.object))
        .collect();
    texts.sort();
    texts
}

/// The lines of one outcome, as object names.
pub(super) fn with_outcome(lines: &[ObjectOutcome], outcome: Outcome) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line.outcome == outcome)
        .map(|line| line.object.to_string())
        .collect()
}

/// The line of an object.
pub(super) fn line<'a>(lines: &'a [ObjectOutcome], object: &str) -> &'a ObjectOutcome {
    lines
        .iter()
        .find(|line| line.object.to_string() == object)
        .unwrap_or_else(|| panic!("no line of {object} in {lines:#?}"))
}

/// A code in a line, or nothing.
pub(super) fn code(line: &ObjectOutcome) -> &str {
    line.code.as_deref().unwrap_or_default()
}

/// The object without what the cluster assigns, for messages.
pub(super) fn name_of(object: &Value) -> String {
    format!("{} {}", object["kind"], object["metadata"]["name"])
}
