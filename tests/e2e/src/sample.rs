//! The sample applications: how each is set up, lost, and looked at.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::kubectl::Kubectl;
use crate::load::{self, Bank};
use crate::process::{StageError, StageResult};
use crate::state::State;

/// A sample application.
#[derive(Debug, Clone, Copy)]
pub struct Application {
    /// The namespace that it lives in.
    pub namespace: &'static str,
    /// Its manifest, below `apps`.
    manifest: &'static str,
    /// What of it lies outside its namespace.
    cluster_scoped: &'static [&'static str],
    /// Other namespaces that scenarios restore it into.
    pub copies: &'static [&'static str],
    /// Whether losing it means losing its namespace, with all that takes.
    namespace_is_lost: bool,
    /// What no manifest can carry.
    finish: fn(&Kubectl) -> StageResult<()>,
}

/// A web shop with running pods and more than twenty kinds: the application of the demo.
pub const SHOP: Application = Application {
    namespace: "shop",
    manifest: "shop.yaml",
    cluster_scoped: &[
        "customresourcedefinition/discounts.shop.example.com",
        "priorityclass/shop-critical",
        "clusterrole/shop-node-reader",
        "clusterrolebinding/shop-node-reader",
    ],
    copies: &[],
    namespace_is_lost: true,
    finish: finish_shop,
};

/// A dozen objects without pods, gone and back in a second: for what is done many times over.
pub const LEDGER: Application = Application {
    namespace: "ledger",
    manifest: "ledger.yaml",
    cluster_scoped: &["customresourcedefinition/accounts.ledger.example.com"],
    copies: &[],
    namespace_is_lost: false,
    finish: finish_ledger,
};

/// A pod that keeps a journal on a volume of its own.
pub const JOURNAL: Application = Application {
    namespace: "journal",
    manifest: "journal.yaml",
    cluster_scoped: &[],
    copies: &[],
    namespace_is_lost: true,
    finish: finish_journal,
};

/// A pod that writes on two volumes of its own, on the one and then on the other.
pub const PAIR: Application = Application {
    namespace: "pair",
    manifest: "pair.yaml",
    cluster_scoped: &[],
    copies: &[],
    namespace_is_lost: true,
    finish: finish_pair,
};

/// A bank in MariaDB, which [`crate::load`] keeps busy.
pub const MARIADB: Application = Application {
    namespace: "mariadb",
    manifest: "mariadb.yaml",
    cluster_scoped: &[],
    copies: &["mariadb-bare"],
    namespace_is_lost: true,
    finish: finish_mariadb,
};

/// A bank in PostgreSQL, which [`crate::load`] keeps busy.
pub const POSTGRES: Application = Application {
    namespace: "postgres",
    manifest: "postgres.yaml",
    cluster_scoped: &[],
    copies: &["postgres-frozen", "postgres-bare"],
    namespace_is_lost: true,
    finish: finish_postgres,
};

/// All of them.
pub const ALL: [Application; 6] = [SHOP, LEDGER, JOURNAL, PAIR, MARIADB, POSTGRES];

/// How long a cluster may take to accept an application, whose kinds it has to learn first.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(60);

impl Application {
    /// Creates the application and waits until it runs and its objects are at rest.
    pub fn deploy(&self, kubectl: &Kubectl) -> StageResult<()> {
        let manifest = self.manifest();
        if !kubectl.succeeds(&["get", "namespace", self.namespace])? {
            kubectl.run(&["create", "namespace", self.namespace])?;
        }
        // The resources of a new kind are refused until its definition is established: apply until all is there.
        kubectl.wait(
            "the sample application to be accepted",
            ACCEPTED_WITHIN,
            |kubectl| kubectl.apply(&manifest).map_err(|error| error.to_string()),
        )?;
        (self.finish)(kubectl)
    }

    /// Loses the application, with what of it is cluster-scoped.
    pub fn lose(&self, kubectl: &Kubectl) -> StageResult<()> {
        if self.namespace_is_lost {
            kubectl.delete_namespaces(&[self.namespace])?;
            return self.remove_cluster_scoped(kubectl);
        }
        let manifest = self.manifest();
        kubectl
            .run(&[
                "delete".as_ref(),
                "--ignore-not-found".as_ref(),
                "-f".as_ref(),
                manifest.as_os_str(),
            ])
            .map(drop)
    }

    /// Removes whatever is there of the application outside its namespace.
    pub fn remove_cluster_scoped(&self, kubectl: &Kubectl) -> StageResult<()> {
        if self.cluster_scoped.is_empty() {
            return Ok(());
        }
        let mut words = vec!["delete", "--ignore-not-found"];
        words.extend(self.cluster_scoped);
        kubectl.run(&words).map(drop)
    }

    /// All objects of the application, its cluster-scoped ones included.
    pub fn state(&self, kubectl: &Kubectl) -> StageResult<State> {
        let mut state = State::take(kubectl, self.namespace)?;
        for object in self.cluster_scoped {
            state.add_object(kubectl, object)?;
        }
        Ok(state)
    }

    /// How many pods of the application are running and ready.
    pub fn ready_pods(&self, kubectl: &Kubectl) -> StageResult<usize> {
        let pods = kubectl.json(&[
            "-n",
            self.namespace,
            "get",
            "pods",
            "--field-selector=status.phase=Running",
        ])?;
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
            })
        };
        Ok(pods["items"]
            .as_array()
            .map_or(0, |pods| pods.iter().filter(|pod| is_ready(pod)).count()))
    }

    fn manifest(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("apps")
            .join(self.manifest)
    }
}

/// The status of a custom resource, an owner by its uid, and the wait for all that runs.
fn finish_shop(kubectl: &Kubectl) -> StageResult<()> {
    let status = r#"{"status":{"redeemed":9007199254740993,"phase":"Active"}}"#;
    kubectl.run(&[
        "-n",
        "shop",
        "patch",
        "discount",
        "black-friday",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ])?;
    let owner = kubectl.json(&["-n", "shop", "get", "discount", "welcome"])?;
    let uid = owner["metadata"]["uid"].as_str();
    let uid =
        uid.ok_or_else(|| StageError::Unexpected("the discount `welcome` has no uid".to_owned()))?;
    let owned = format!(
        r#"{{"metadata":{{"ownerReferences":[{{"apiVersion":"shop.example.com/v1","kind":"Discount","name":"welcome","uid":"{uid}"}}]}}}}"#
    );
    kubectl.run(&[
        "-n",
        "shop",
        "patch",
        "configmap",
        "price-list.2026",
        "--type=merge",
        "-p",
        &owned,
    ])?;
    kubectl.run(&[
        "-n",
        "shop",
        "wait",
        "--for=condition=Complete",
        "job/migrate-schema",
        "--timeout=60s",
    ])?;
    kubectl.wait_rolled_out("shop")
}

fn finish_ledger(kubectl: &Kubectl) -> StageResult<()> {
    let status = r#"{"status":{"postings":12,"audited":true}}"#;
    kubectl
        .run(&[
            "-n",
            "ledger",
            "patch",
            "account",
            "cash",
            "--subresource=status",
            "--type=merge",
            "-p",
            status,
        ])
        .map(drop)
}

fn finish_journal(kubectl: &Kubectl) -> StageResult<()> {
    kubectl.wait_rolled_out("journal")
}

fn finish_pair(kubectl: &Kubectl) -> StageResult<()> {
    kubectl.wait_rolled_out("pair")
}

fn finish_mariadb(kubectl: &Kubectl) -> StageResult<()> {
    kubectl.wait_rolled_out("mariadb")?;
    found_the_bank(kubectl, &load::MARIADB, "mariadb </bank/bank.sql")
}

fn finish_postgres(kubectl: &Kubectl) -> StageResult<()> {
    kubectl.wait_rolled_out("postgres")?;
    let words = "psql --quiet --set=ON_ERROR_STOP=1 --file=/bank/bank.sql";
    found_the_bank(kubectl, &load::POSTGRES, words)
}

/// Makes the tables and their first rows; once, since a restore brings them back.
fn found_the_bank(kubectl: &Kubectl, bank: &Bank, command: &str) -> StageResult<()> {
    let namespace = bank.application.namespace;
    bank.run(kubectl, namespace, &["bash", "-c", command])
        .map(drop)
}
