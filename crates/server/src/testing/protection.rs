//! For tests: a vault that protects a cluster in memory, set up through the public contract, and an
//! extension in that cluster that does what the real one does, as far as the server can see.

use std::time::Duration;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_core::error::Code;
use strongroom_core::object::ObjectRef;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_kubernetes::crd::JobState;
use strongroom_repository::{Backend, Repository, RepositoryKey, StoreConfig, WriterOptions};
use uuid::Uuid;

use super::{Answer, Harness};
use crate::app::jobs::Location;
use crate::app::{ResourceId, policies, repositories, vaults};
use crate::cluster_link::JobSpec;
use crate::store::{JobFilter, JobRow};
use crate::worker::drive_due_jobs;

/// How often a test lets the worker look before it gives up.
const MOST_LOOKS: usize = 50;

/// A protected cluster.
pub(crate) struct Protected {
    pub(crate) harness: Harness,
    pub(crate) vault: String,
    pub(crate) policy: String,
    pub(crate) cluster: String,
    pub(crate) container: String,
    pub(crate) extension: String,
    pub(crate) binding: String,
    pub(crate) instance: String,
}

/// The body of a backup on demand by the example policy's rule.
pub(crate) fn adhoc() -> Value {
    json!({"backupRuleOptions": {
        "ruleName": "BackupHourly",
        "triggerOption": {"retentionTagOverride": "Default"},
    }})
}

/// The body of a restore of everything into `cluster`.
pub(crate) fn restore_of(point: &str, cluster: &str) -> Value {
    json!({
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": point,
        "sourceDataStoreType": "OperationalStore",
        "restoreTargetInfo": {
            "objectType": "ItemLevelRestoreTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": "westeurope",
            "datasourceInfo": {
                "objectType": "Datasource",
                "datasourceType": "Microsoft.ContainerService/managedClusters",
                "resourceID": cluster,
            },
            "restoreCriteria": [{
                "objectType": "KubernetesClusterRestoreCriteria",
                "includeClusterScopeResources": true,
                "includedNamespaces": null,
                "conflictPolicy": "Patch",
                "namespaceMappings": null,
            }],
        },
    })
}

impl Protected {
    /// Sets everything up and lets the worker do its part.
    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let group = ResourceId::published(vault.clone()).without(4).to_string();
        let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/acct01");
        let cluster = format!("{group}/providers/Microsoft.Kubernetes/connectedClusters/prod");
        let it = Self {
            policy: format!("{vault}/backupPolicies/daily"),
            container: format!("{account}/blobServices/default/containers/backups"),
            extension: format!(
                "{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azure-aks-backup"
            ),
            binding: format!("{cluster}/trustedAccessRoleBindings/vault"),
            instance: format!("{vault}/backupInstances/prod-instance"),
            harness,
            vault,
            cluster,
        };
        it.made(&it.vault, vaults::example()).await;
        it.made(&it.policy, policies::example()).await;
        let located =
            |properties: Value| json!({"location": "westeurope", "properties": properties});
        it.made(&account, located(json!({}))).await;
        it.made(&it.container, json!({"properties": {}})).await;
        it.connect(super::KUBECONFIG).await;
        let configured = it
            .made(&it.instance, json!({"properties": it.instance_document()}))
            .await;
        let ended = it.ended(configured.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        it
    }

    /// Registers the cluster, installs the extension and grants the vault access.
    pub(crate) async fn connect(&self, kubeconfig: &str) {
        let properties = json!({"kubeconfig": kubeconfig});
        let body = json!({"location": "westeurope", "properties": properties});
        self.made(&self.cluster, body).await;
        let installed = self.made(&self.extension, self.extension_document()).await;
        self.ended(installed.header("azure-asyncoperation")).await;
        self.made(&self.binding, self.binding_document()).await;
    }

    /// The same server on another catalogue; gives back the one before it, whose stores it goes on with.
    pub(crate) fn after(mut self, later: Harness) -> (Self, Harness) {
        let earlier = std::mem::replace(&mut self.harness, later);
        (self, earlier)
    }

    async fn made(&self, path: &str, body: Value) -> Answer {
        let answer = self.harness.put(path, body).await;
        assert!(
            (200..300).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        answer
    }

    pub(crate) fn extension_document(&self) -> Value {
        json!({"properties": {
            "extensionType": "microsoft.dataprotection.kubernetes",
            "configurationSettings": {"storageAccount": "acct01", "blobContainer": "backups"},
        }})
    }

    pub(crate) fn binding_document(&self) -> Value {
        json!({"properties": {
            "sourceResourceId": self.vault,
            "roles": ["Microsoft.DataProtection/backupVaults/backup-operator"],
        }})
    }

    pub(crate) fn instance_document(&self) -> Value {
        json!({
            "objectType": "BackupInstance",
            "friendlyName": "prod",
            "dataSourceInfo": {
                "objectType": "Datasource",
                "datasourceType": "Microsoft.ContainerService/managedClusters",
                "resourceID": self.cluster,
            },
            "policyInfo": {"policyId": self.policy},
        })
    }

    /// Deletes a row behind the contract's back.
    async fn forget(&self, id: &str) {
        let mut session = self.harness.app.store.begin().await.unwrap();
        session.delete_resource(&id.to_lowercase()).await.unwrap();
        session.commit().await.unwrap();
    }

    pub(crate) async fn forget_trusted_access(&self) {
        self.forget(&self.binding).await;
    }

    pub(crate) async fn forget_extension(&self) {
        self.forget(&self.extension).await;
    }

    pub(crate) async fn forget_instance(&self) {
        self.forget(&self.instance).await;
    }

    /// Sets the vault's soft delete.
    pub(crate) async fn soft_delete(&self, state: &str) {
        let settings = json!({"softDeleteSettings": {"state": state}});
        let patch = json!({"properties": {"securitySettings": settings}});
        let answer = self.harness.call("PATCH", &self.vault, Some(patch)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Sets the vault's immutability.
    pub(crate) async fn immutability(&self, state: &str) -> Answer {
        let settings = json!({"immutabilitySettings": {"state": state}});
        let patch = json!({"properties": {"securitySettings": settings}});
        self.harness.call("PATCH", &self.vault, Some(patch)).await
    }

    /// POST of an action of the instance.
    pub(crate) async fn post(&self, action: &str, body: Value) -> Answer {
        self.harness
            .call("POST", &format!("{}/{action}", self.instance), Some(body))
            .await
    }

    pub(crate) async fn post_without_body(&self, action: &str) -> Answer {
        self.harness
            .call("POST", &format!("{}/{action}", self.instance), None)
            .await
    }

    /// GET of an absolute address that the server gave out.
    pub(crate) async fn follow(&self, address: &str) -> Answer {
        let path = address.strip_prefix("https://localhost:8443").unwrap();
        self.harness.get(path).await
    }

    /// The status of an operation once it has ended; the task behind it gets time to run.
    pub(crate) async fn ended(&self, address: &str) -> Value {
        for _ in 0..10_000 {
            let status = self.follow(address).await.json();
            if status["status"] != "Inprogress" {
                return status;
            }
            tokio::task::yield_now().await;
        }
        panic!("the operation does not end");
    }

    async fn jobs(&self) -> Vec<JobRow> {
        let filter = JobFilter {
            vault_key: self.vault.to_lowercase(),
            ..JobFilter::default()
        };
        let mut session = self.harness.app.store.read().await.unwrap();
        session.jobs(&filter, None, 100).await.unwrap().rows
    }

    /// The one job there is.
    pub(crate) async fn only_job(&self) -> JobRow {
        let mut jobs = self.jobs().await;
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    /// Where the report of a job lies in the embedded store.
    pub(crate) async fn report_folder(&self, job: Uuid) -> std::path::PathBuf {
        let row = self.job(job).await;
        let prefix = row.request["repository"]["prefix"].as_str().unwrap();
        let folder = format!("acct01/backups/{prefix}/reports/{job}");
        self.harness.app.blobs.path().join(folder)
    }

    /// The one job that has not ended.
    pub(crate) async fn open_job(&self) -> JobRow {
        let mut jobs = self.jobs().await;
        jobs.retain(|job| job.ended_at.is_none());
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    /// A job as it is now.
    pub(crate) async fn job(&self, id: Uuid) -> JobRow {
        self.harness
            .app
            .store
            .read()
            .await
            .unwrap()
            .job(id)
            .await
            .unwrap()
            .unwrap()
    }

    /// Lets the worker look once, one second later.
    pub(crate) async fn look(&self) {
        self.harness.clock.advance(Duration::from_secs(1));
        drive_due_jobs(&self.harness.app).await.unwrap();
    }

    /// Lets the worker look until `enough`.
    pub(crate) async fn look_until(&self, enough: impl AsyncFn(&Self) -> bool) {
        for _ in 0..MOST_LOOKS {
            if enough(self).await {
                return;
            }
            self.look().await;
        }
        panic!("it does not come to that: {:#?}", self.jobs().await);
    }

    /// Lets the worker look until the custom resource is in the cluster.
    pub(crate) async fn look_until_created(&self) {
        self.look_until(async |it| !it.harness.clusters.resources().is_empty())
            .await;
    }

    /// Lets the worker look until it has nothing to do any more; volume snapshots go when they are to.
    pub(crate) async fn look_until_idle(&self) {
        self.look_until(async |it| {
            it.harness.clusters.forget_all();
            let mut session = it.harness.app.store.read().await.unwrap();
            session.next_poll().await.unwrap().is_none()
        })
        .await;
    }

    /// The repository that the custom resource's secrets open, from inside.
    pub(crate) async fn repository(&self) -> Repository {
        let secrets = self.harness.clusters.secrets();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(&secrets.repository_key)
            .unwrap();
        let key = RepositoryKey::new(bytes.try_into().unwrap());
        let path = self.harness.app.blobs.path().join("acct01/backups");
        let config = StoreConfig {
            backend: Backend::Local { path },
            prefix: secrets.prefix.clone(),
        };
        let store = config.connect().unwrap();
        let entropy = strongroom_repository::SystemEntropy;
        Repository::open_or_create(store, config.prefix().unwrap(), &key, &entropy)
            .await
            .unwrap()
    }

    /// The repository of the instance, as the server opens it.
    pub(crate) async fn own_repository(&self) -> Repository {
        let (app, key) = (&self.harness.app, self.instance.to_lowercase());
        let mut session = app.store.read().await.unwrap();
        let row = session.repositories(&key).await.unwrap().remove(0);
        let location = Location {
            container_id: row.container_id,
            prefix: row.prefix,
        };
        let identity = repositories::identity(app, &mut *session, &key).await;
        let config = repositories::for_server(app, &mut *session, &location).await;
        let key = identity.unwrap().unwrap().key;
        repositories::open(&config.unwrap(), &key).await.unwrap()
    }

    /// Writes and seals the recovery point that the custom resource asks for, with a report of three
    /// objects of which one failed; returns the manifest's digest.
    pub(crate) async fn seal(&self) -> String {
        let resource = self.harness.clusters.resources().remove(0);
        let JobSpec::Backup(spec) = resource.spec else {
            panic!("no backup")
        };
        let repository = self.repository().await;
        let options = WriterOptions::default();
        let mut writer = repository
            .begin(spec.recovery_point_id, options)
            .await
            .unwrap();
        let maps = json!({"resource": {"version": "v1", "kind": "ConfigMap",
            "plural": "configmaps", "namespaced": true}});
        writer.start_run("configmaps", maps).await.unwrap();
        writer
            .put(
                "shop/a",
                b"{}".to_vec(),
                b"{\"kind\":\"ConfigMap\"}".to_vec().into(),
            )
            .await
            .unwrap();
        writer.finish_run().await.unwrap();
        let created: Timestamp = self.harness.app.now();
        let header = json!({"cluster": {"version": "v1.36.0", "platform": "linux/amd64",
            "served": {"configmaps": ["v1"], "events.events.k8s.io": ["v1", "v1beta1"]}}});
        let sealed = writer.seal(header, created).await.unwrap();
        self.report_of(
            spec.job_id,
            [Outcome::BackedUp, Outcome::Failed, Outcome::Skipped],
        )
        .await;
        sealed.digest
    }

    /// Writes the report of a job's first attempt, one line for each outcome.
    pub(crate) async fn report_of(&self, job: Uuid, outcomes: impl IntoIterator<Item = Outcome>) {
        self.report_of_attempt(job, 1, outcomes).await;
    }

    /// The same for another attempt.
    pub(crate) async fn report_of_attempt(
        &self,
        job: Uuid,
        attempt: u32,
        outcomes: impl IntoIterator<Item = Outcome>,
    ) {
        let mut report = self.repository().await.report_writer(job, attempt);
        for (n, outcome) in outcomes.into_iter().enumerate() {
            let object = ObjectRef {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: Some("shop".to_owned()),
                name: format!("object-{n}"),
            };
            let mut line = ObjectOutcome::new(object, outcome, "because");
            if outcome == Outcome::Failed {
                line = line.with_code(Code::ObjectTooLarge);
            }
            report
                .append(&serde_json::to_vec(&line).unwrap())
                .await
                .unwrap();
        }
        report.finish().await.unwrap();
    }

    /// Says in the custom resource that the job is done.
    pub(crate) fn claim(&self, state: JobState, digest: Option<String>) {
        let now = self.harness.app.now();
        self.harness.clusters.update_status(|status| {
            status.state = state;
            status.attempt = 1;
            status.manifest_digest = digest;
            status.report_attempt = Some(1);
            status.completed = Some(now);
        });
    }

    /// The extension does a whole backup, and the worker all that belongs to it.
    pub(crate) async fn extension_backs_up(&self) {
        self.look_until_created().await;
        let digest = self.seal().await;
        self.claim(JobState::CompletedWithWarnings, Some(digest));
        self.look_until_idle().await;
    }

    /// The extension does a whole validation, and the worker all that belongs to it.
    pub(crate) async fn extension_validates(&self) {
        self.look_until_created().await;
        self.claim(JobState::Completed, None);
        self.look_until_idle().await;
    }

    /// Makes a recovery point and returns its id.
    pub(crate) async fn recovery_point(&self) -> String {
        let answer = self.post("backup", adhoc()).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.extension_backs_up().await;
        let listed = self
            .harness
            .get(&format!("{}/recoveryPoints", self.instance))
            .await
            .json();
        listed["value"][0]["name"].as_str().unwrap().to_owned()
    }

    /// Ids of the recovery points that the store knows.
    pub(crate) async fn recovery_points(&self) -> usize {
        let key = self.instance.to_lowercase();
        let mut session = self.harness.app.store.read().await.unwrap();
        session
            .recovery_points(&key, (None, None), None, 100)
            .await
            .unwrap()
            .rows
            .len()
    }
}
