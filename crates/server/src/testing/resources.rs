//! Resources for tests, made through the public contract.

use jiff::ToSpan as _;
use serde_json::{Value, json};
use strongroom_api::recovery_point::{AzureBackupDiscreteRecoveryPoint, RecoveryPoint};
use strongroom_core::selection::Selection;
use uuid::Uuid;

use super::{Harness, SUBSCRIPTION};
use crate::app::jobs::{About, Location, Progress, Request};
use crate::app::{policies, vaults};
use crate::store::{JobRow, RecoveryPointRow};

/// A kubeconfig that can be used, of a cluster that nobody asks.
pub(crate) const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster: {server: 'https://10.0.0.1:6443'}
contexts:
- name: test
  context: {cluster: test, user: test}
users:
- name: test
  user: {token: hush-hush}
";

/// Published type of the clusters that tests use unless they say otherwise.
const CONNECTED: &str = "Microsoft.Kubernetes/connectedClusters";

impl Harness {
    async fn group(&self) -> String {
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        self.put(&group, json!({"location": "westeurope"})).await;
        group
    }

    async fn made(&self, path: &str, body: Value) {
        let answer = self.put(path, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
    }

    /// A vault.
    pub(crate) async fn vault(&self) -> String {
        let group = self.group().await;
        let vault = format!("{group}/providers/Microsoft.DataProtection/backupVaults/vault");
        self.made(&vault, vaults::example()).await;
        vault
    }

    /// The address of a storage account that does not exist yet.
    pub(crate) async fn account_path(&self) -> String {
        format!(
            "{}/providers/Microsoft.Storage/storageAccounts/backups",
            self.group().await
        )
    }

    /// An embedded container.
    pub(crate) async fn container(&self) -> String {
        let account = self.account_path().await;
        self.made(
            &account,
            json!({"location": "westeurope", "properties": {}}),
        )
        .await;
        let container = format!("{account}/blobServices/default/containers/points");
        self.made(&container, json!({"properties": {}})).await;
        container
    }

    /// The address of a cluster of a type that does not exist yet.
    pub(crate) async fn cluster_path(&self, type_name: &str) -> String {
        format!("{}/providers/{type_name}/cluster", self.group().await)
    }

    /// A registered cluster.
    pub(crate) async fn cluster(&self, type_name: &str) -> String {
        let path = self.cluster_path(type_name).await;
        let body = json!({"location": "onprem", "properties": {"kubeconfig": KUBECONFIG}});
        self.made(&path, body).await;
        path
    }

    /// The address and the body of an instance that can be made.
    pub(crate) async fn instance_request(&self) -> (String, Value) {
        let cluster = self.cluster(CONNECTED).await;
        self.instance_request_of(&cluster).await
    }

    async fn instance_request_of(&self, cluster: &str) -> (String, Value) {
        let vault = self.vault().await;
        let policy = format!("{vault}/backupPolicies/policy");
        self.made(&policy, policies::example()).await;
        let body = json!({"properties": {
            "friendlyName": "shop",
            "objectType": "BackupInstance",
            "dataSourceInfo": {"resourceID": cluster, "objectType": "Datasource"},
            "policyInfo": {"policyId": policy, "policyParameters": {
                "backupDatasourceParametersList": [{
                    "objectType": "KubernetesClusterBackupDatasourceParameters",
                    "snapshotVolumes": false, "includeClusterScopeResources": true
                }]
            }}
        }});
        (format!("{vault}/backupInstances/instance"), body)
    }

    /// A protected instance.
    pub(crate) async fn instance(&self) -> String {
        let cluster = self.cluster(CONNECTED).await;
        self.instance_of(&cluster).await
    }

    /// A protected instance of a cluster.
    pub(crate) async fn instance_of(&self, cluster: &str) -> String {
        let (path, mut body) = self.instance_request_of(cluster).await;
        body["properties"]["validationType"] = json!("ShallowValidation");
        self.made(&path, body).await;
        loop {
            let read = self.get(&path).await.json();
            match read["properties"]["provisioningState"].as_str() {
                Some("Succeeded") => return path,
                Some("Provisioning" | "Updating") => tokio::task::yield_now().await,
                _ => panic!("{read}"),
            }
        }
    }

    /// A backup job of an instance, as the worker would have left it.
    pub(crate) async fn job(&self, instance: &str, status: &str) -> Uuid {
        let id = self.app.new_id();
        let vault = instance.rsplitn(3, '/').last().unwrap();
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let about = About {
            instance_id: instance.to_owned(),
            instance_name: "shop".to_owned(),
            vault_id: vault.to_owned(),
            datasource_id: format!("{group}/providers/{CONNECTED}/cluster"),
            cluster_id: format!("{group}/providers/{CONNECTED}/cluster"),
            policy_id: Some(format!("{vault}/backupPolicies/policy")),
            location: "westeurope".to_owned(),
            is_user_triggered: true,
        };
        let request = Request::Backup {
            about: about.clone(),
            recovery_point_id: self.app.new_id(),
            selection: Selection::default(),
            snapshot_classes: Vec::new(),
            parent_recovery_point_id: None,
            repository: Location {
                container_id: "/c".to_owned(),
                prefix: "p".to_owned(),
            },
            rule_name: "BackupHourly".to_owned(),
            retention_tag: "Default".to_owned(),
            expires_at: None,
            scheduled_for: None,
        };
        let now = self.app.now();
        let is_open = status == "InProgress";
        let row = JobRow {
            id,
            vault_key: vault.to_lowercase(),
            instance_key: instance.to_lowercase(),
            cluster_key: about.cluster_id.to_lowercase(),
            operation: "Backup".to_owned(),
            status: status.to_owned(),
            step: if is_open { "Create" } else { "Done" }.to_owned(),
            progress: Progress::default().to_column().unwrap(),
            resource_name: None,
            request: request.to_column().unwrap(),
            result: Value::Null,
            error: Value::Null,
            created_at: now,
            started_at: None,
            ended_at: (!is_open).then_some(now),
            next_poll_at: None,
            generation: 0,
        };
        let mut session = self.app.store.begin().await.unwrap();
        session.insert_job(&row).await.unwrap();
        session.commit().await.unwrap();
        id
    }

    /// A recovery point of an instance, so many hours after the harness's start.
    pub(crate) async fn recovery_point(&self, instance: &str, hours: i64) -> Uuid {
        let id = self.app.new_id();
        let created_at = self.app.now() + hours.hours();
        let properties =
            RecoveryPoint::AzureBackupDiscreteRecoveryPoint(AzureBackupDiscreteRecoveryPoint {
                recovery_point_time: created_at,
                recovery_point_id: Some(id.to_string()),
                ..AzureBackupDiscreteRecoveryPoint::default()
            });
        let repository = Location {
            container_id: "/c".to_owned(),
            prefix: "p".to_owned(),
        };
        let row = RecoveryPointRow {
            id,
            instance_key: instance.to_lowercase(),
            vault_key: instance.rsplitn(3, '/').last().unwrap().to_lowercase(),
            job_id: self.app.new_id(),
            created_at,
            expires_at: None,
            body: json!({"properties": properties, "repository": repository}),
            expiring_since: None,
        };
        let mut session = self.app.store.begin().await.unwrap();
        session.insert_recovery_point(&row).await.unwrap();
        session.commit().await.unwrap();
        id
    }
}
