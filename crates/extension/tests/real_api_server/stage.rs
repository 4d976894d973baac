//! A real cluster, a folder as the store, and extension processes in this process.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::ObjectOutcome;
use strongroom_core::restore::RestoreCriteria;
use strongroom_core::selection::Selection;
use strongroom_extension::clock::SystemClock;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::environment::{Environment, MissingSnapshots, StorageNote, Stores};
use strongroom_extension::run::controllers;
use strongroom_extension::volumes::Waits;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{
    self, BackupMode, BackupSpec, JobStatus, RestoreMode, RestoreSpec,
};
use strongroom_kubernetes::sealed::{self, JobSecrets, KeyPair};
use strongroom_kubernetes::{Cluster, FIELD_MANAGER, Timeouts, jobs};
use strongroom_repository::{Backend, Repository, RepositoryKey, StoreConfig, SystemEntropy};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Folders as stores, which a real extension refuses.
#[derive(Debug)]
struct Folders;

impl Stores for Folders {
    fn connect(
        &self,
        config: &StoreConfig,
    ) -> strongroom_repository::Result<Arc<dyn object_store::ObjectStore>> {
        config.connect()
    }
}

const PRIVATE_KEY: [u8; 32] = [7; 32];
const REPOSITORY_KEY: [u8; 32] = [9; 32];
const PREFIX: &str = "instances/a";
/// How often a status is looked at.
const LOOK: Duration = Duration::from_millis(20);
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    /// The cluster as the extension sees it, where that is another way than the test's own.
    pub(crate) seen: Option<Cluster>,
    folder: tempfile::TempDir,
    /// How long what does not answer is waited for.
    pub(crate) grace: Duration,
    /// How long a namespace that is being deleted is waited for.
    pub(crate) namespace_gone_wait: Duration,
    /// How long an application may stand frozen.
    pub(crate) freeze_budget: Duration,
    /// How long drivers are waited for.
    pub(crate) waits: Waits,
}

pub(crate) fn core(kind: &str, plural: &str, namespaced: bool) -> ResourceType {
    ResourceType::new("", "v1", kind, plural, namespaced)
}

impl Stage {
    /// A stage of its own for each test; none when no cluster was named.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        let Some(path) = std::env::var_os("STRONGROOM_TEST_KUBECONFIG") else {
            println!("left out: STRONGROOM_TEST_KUBECONFIG names no cluster");
            return None;
        };
        let yaml = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("STRONGROOM_TEST_KUBECONFIG={}: {error}", path.display())
        });
        let cluster = Cluster::from_kubeconfig(&yaml, Timeouts::default()).unwrap();
        let namespace = format!("strongroom-extension-{name}");
        let kind = core("Namespace", "namespaces", false);
        let definitions = ResourceType::new(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        );
        for one in crd::all_crds() {
            let object = json!(one);
            objects::patch_apply(&cluster, &definitions, &object, FIELD_MANAGER, true)
                .await
                .unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            objects::wait_established(&cluster, name, PATIENCE)
                .await
                .unwrap();
        }
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        // An earlier run did not wait for its end, or had none.
        let how = objects::Propagation::Background;
        objects::delete(&cluster, &kind, None, &namespace, None, how)
            .await
            .unwrap();
        objects::wait_gone(&cluster, &kind, None, &namespace, PATIENCE)
            .await
            .unwrap();
        objects::create(&cluster, &kind, &object).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            cluster,
            namespace,
            seen: None,
            folder,
            grace: Duration::from_secs(10),
            namespace_gone_wait: Duration::from_secs(30),
            freeze_budget: strongroom_core::limits::FREEZE_BUDGET,
            waits: Waits::default(),
        })
    }

    fn config(&self) -> StoreConfig {
        let path = self.folder.path().to_owned();
        StoreConfig {
            backend: Backend::Local { path },
            prefix: String::new(),
        }
    }

    fn seal(&self, name: &str) -> String {
        let secrets = JobSecrets {
            store: json!(self.config()),
            prefix: PREFIX.to_owned(),
            repository_key: BASE64.encode(REPOSITORY_KEY),
        };
        let key = KeyPair::from_bytes(&PRIVATE_KEY)
            .unwrap()
            .public_key_base64();
        let mut rng = StdRng::seed_from_u64(1);
        sealed::seal_secrets(
            &key,
            &sealed::info(&self.namespace, name),
            &secrets,
            &mut rng,
        )
        .unwrap()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the custom resources of earlier runs may be there"
    )]
    fn new_id() -> Uuid {
        Uuid::new_v4()
    }

    pub(crate) fn backup_of(&self, namespaces: &[&str]) -> BackupSpec {
        let job_id = Self::new_id();
        let names = namespaces.iter().map(|name| (*name).to_owned()).collect();
        BackupSpec {
            job_id,
            mode: BackupMode::Backup,
            recovery_point_id: Self::new_id(),
            backup_instance_id: "a".to_owned(),
            selection: Selection {
                included_namespaces: Some(names),
                snapshot_volumes: false,
                ..Selection::default()
            },
            snapshot_classes: Vec::new(),
            parent_recovery_point_id: None,
            sealed: self.seal(&jobs::backup_name(job_id)),
            deadline: None,
        }
    }

    pub(crate) fn restore_of(&self, backup: &BackupSpec) -> RestoreSpec {
        let job_id = Self::new_id();
        let selection = Selection {
            included_namespaces: backup.selection.included_namespaces.clone(),
            ..Selection::default()
        };
        RestoreSpec {
            job_id,
            recovery_point_id: backup.recovery_point_id,
            backup_instance_id: "a".to_owned(),
            mode: RestoreMode::Apply,
            criteria: RestoreCriteria {
                selection,
                ..RestoreCriteria::default()
            },
            sealed: self.seal(&jobs::restore_name(job_id)),
            plan_digest: None,
            deadline: None,
        }
    }

    pub(crate) async fn run_backup(&self, spec: &BackupSpec, crash: CrashPoints) -> JobStatus {
        jobs::create_backup(&self.cluster, &self.namespace, spec)
            .await
            .unwrap();
        self.run_job(&jobs::backups(), &jobs::backup_name(spec.job_id), crash)
            .await
    }

    /// Removes the volume snapshots of a backup's recovery point.
    pub(crate) async fn forget(&self, backup: &BackupSpec) -> JobStatus {
        let spec = BackupSpec {
            job_id: Self::new_id(),
            mode: BackupMode::Forget,
            sealed: String::new(),
            ..backup.clone()
        };
        jobs::create_backup(&self.cluster, &self.namespace, &spec)
            .await
            .unwrap();
        let name = jobs::forget_name(spec.job_id);
        self.run_job(&jobs::backups(), &name, CrashPoints::none())
            .await
    }

    /// Starts a backup and kills the process at a place, with nobody to go on.
    pub(crate) async fn die_in_backup(&self, spec: &BackupSpec, crash: CrashPoints) {
        jobs::create_backup(&self.cluster, &self.namespace, spec)
            .await
            .unwrap();
        let reached = crash.reached().expect("a place to die at");
        let process = self.start(crash);
        tokio::time::timeout(PATIENCE, reached.notified())
            .await
            .expect("the place is reached");
        drop(process);
    }

    pub(crate) async fn run_restore(&self, spec: &RestoreSpec, crash: CrashPoints) -> JobStatus {
        jobs::create_restore(&self.cluster, &self.namespace, spec)
            .await
            .unwrap();
        self.run_job(&jobs::restores(), &jobs::restore_name(spec.job_id), crash)
            .await
    }

    /// Runs processes until the job is final. One that crashes is followed by one that does not.
    async fn run_job(&self, kind: &ResourceType, name: &str, crash: CrashPoints) -> JobStatus {
        let reached = crash.reached();
        let process = self.start(crash);
        if let Some(reached) = reached {
            tokio::time::timeout(PATIENCE, reached.notified())
                .await
                .expect("the place is reached");
            drop(process);
            let _process = self.start(CrashPoints::none());
            return self.ended(kind, name).await;
        }
        self.ended(kind, name).await
    }

    /// The status of a job once it is final.
    pub(crate) async fn ended(&self, kind: &ResourceType, name: &str) -> JobStatus {
        let looking = async {
            loop {
                let live = objects::get(&self.cluster, kind, Some(&self.namespace), name)
                    .await
                    .unwrap();
                let status = live
                    .map(|live: Value| live["status"].clone())
                    .unwrap_or_default();
                let status: JobStatus = serde_json::from_value(status).unwrap_or_default();
                if status.state.is_final() {
                    return status;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .expect("the job ends")
    }

    /// The extension's namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Restores that are asked for at the same time.
    pub(crate) async fn run_restores(&self, specs: &[&RestoreSpec]) -> Vec<JobStatus> {
        let _process = self.start(CrashPoints::none());
        futures::future::join_all(specs.iter().map(|spec| self.restore_with(spec))).await
    }

    /// Creates a restore for a process that runs already, and waits for its end.
    pub(crate) async fn restore_with(&self, spec: &RestoreSpec) -> JobStatus {
        jobs::create_restore(&self.cluster, &self.namespace, spec)
            .await
            .unwrap();
        self.ended(&jobs::restores(), &jobs::restore_name(spec.job_id))
            .await
    }

    /// Creates a backup for a process that runs already, and waits for its end.
    pub(crate) async fn back_up_with(&self, spec: &BackupSpec) -> JobStatus {
        jobs::create_backup(&self.cluster, &self.namespace, spec)
            .await
            .unwrap();
        self.ended(&jobs::backups(), &jobs::backup_name(spec.job_id))
            .await
    }

    /// A process of the extension; it ends when this is dropped.
    pub(crate) fn start(&self, crash: CrashPoints) -> (JoinSet<()>, JoinSet<()>) {
        let environment = self.environment(crash);
        let mut feeds = JoinSet::new();
        let jobs = controllers(&environment, &CancellationToken::new(), &mut feeds);
        (jobs, feeds)
    }

    /// What a process of the extension has.
    pub(crate) fn environment(&self, crash: CrashPoints) -> Arc<Environment> {
        Arc::new(Environment {
            cluster: self.seen.clone().unwrap_or_else(|| self.cluster.clone()),
            namespace: self.namespace.clone(),
            keys: KeyPair::from_bytes(&PRIVATE_KEY).unwrap(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            stores: Arc::new(Folders),
            crash,
            status_interval: Duration::from_millis(200),
            unreachable_pause: Duration::from_millis(100),
            unreachable_grace: self.grace,
            namespace_gone_wait: self.namespace_gone_wait,
            snapshot_waits: self.waits,
            job_ended: tokio::sync::Notify::new(),
            freeze_budget: self.freeze_budget,
            freezes: strongroom_extension::hooks::Freezes::default(),
            storage: StorageNote::default(),
            missing_snapshots: MissingSnapshots::default(),
        })
    }

    pub(crate) async fn repository(&self) -> Repository {
        let store = self.config().connect().unwrap();
        let key = RepositoryKey::new(REPOSITORY_KEY);
        let place = object_store::path::Path::from(PREFIX);
        Repository::open_or_create(store, place, &key, &SystemEntropy)
            .await
            .unwrap()
    }

    pub(crate) async fn report(&self, job: Uuid, status: &JobStatus) -> Vec<ObjectOutcome> {
        let attempt = status
            .report_attempt
            .unwrap_or_else(|| panic!("no report: {status:#?}"));
        let page = self
            .repository()
            .await
            .read_report(job, attempt, 0, 10_000)
            .await
            .unwrap();
        assert!(page.complete);
        page.lines
            .iter()
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The namespace goes with its custom resources; nobody waits for it.
        let (cluster, namespace) = (self.cluster.clone(), self.namespace.clone());
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async move {
                let kind = core("Namespace", "namespaces", false);
                let how = objects::Propagation::Background;
                let _ = objects::delete(&cluster, &kind, None, &namespace, None, how).await;
            });
        });
    }
}
