//! What a process has: its cluster, its key, its clock, its way to stores.
//!
//! Everything that differs between the real program and a test is a field here.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use strongroom_kubernetes::Cluster;
use strongroom_kubernetes::sealed::KeyPair;
use strongroom_repository::{Backend, Entropy, StoreConfig};

use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::limits::MISSING_NAMED;

/// The way from a store's configuration to the store.
pub trait Stores: Send + Sync + fmt::Debug {
    /// A client for the store.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    fn connect(&self, config: &StoreConfig) -> strongroom_repository::Result<Arc<dyn ObjectStore>>;
}

/// The real stores: object storage services, and nothing else. A folder or the memory of this process
/// would let whoever writes custom resources read and fill the extension's own disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealStores;

impl Stores for RealStores {
    fn connect(&self, config: &StoreConfig) -> strongroom_repository::Result<Arc<dyn ObjectStore>> {
        match &config.backend {
            Backend::S3(_) | Backend::AzureBlob(_) | Backend::Gcs(_) => config.connect(),
            Backend::Local { .. } | Backend::Memory => {
                Err(strongroom_repository::Error::InvalidConfig {
                    why: "the storage that the vault names is no object storage service".to_owned(),
                })
            }
        }
    }
}

/// What the process has.
pub struct Environment {
    /// The cluster, as the extension's own service account.
    pub cluster: Cluster,
    /// The extension's namespace, where its custom resources are.
    pub namespace: String,
    /// The key to which job secrets are sealed.
    pub keys: KeyPair,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The way to stores.
    pub stores: Arc<dyn Stores>,
    /// Where to crash, in tests.
    pub crash: CrashPoints,
    /// How often progress is written; see [`crate::limits::STATUS_INTERVAL`].
    pub status_interval: Duration,
    /// See [`crate::limits::UNREACHABLE_PAUSE`].
    pub unreachable_pause: Duration,
    /// See [`crate::limits::UNREACHABLE_GRACE`].
    pub unreachable_grace: Duration,
    /// See [`crate::limits::NAMESPACE_GONE_WAIT`].
    pub namespace_gone_wait: Duration,
    /// How long drivers are waited for.
    pub snapshot_waits: crate::volumes::Waits,
    /// Told whenever a job has ended, for who clears up after it.
    pub job_ended: tokio::sync::Notify,
    /// See [`strongroom_core::limits::FREEZE_BUDGET`].
    pub freeze_budget: Duration,
    /// Which jobs are at a freeze.
    pub freezes: crate::hooks::Freezes,
    /// How the last attempt to reach a store went, for the extension's status.
    pub storage: StorageNote,
    /// Volume snapshots that recovery points should have and the cluster does not, for the same.
    pub missing_snapshots: MissingSnapshots,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("cluster", &self.cluster)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// One sentence on the last attempt to reach a store.
#[derive(Debug, Default)]
pub struct StorageNote(Mutex<String>);

impl StorageNote {
    /// The sentence; empty before the first attempt.
    pub fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another in its place.
    pub fn set(&self, note: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = note.into();
    }
}

/// Volume snapshots that were removed behind our back, as they were last seen.
#[derive(Debug, Default)]
pub struct MissingSnapshots(Mutex<Vec<String>>);

impl MissingSnapshots {
    /// Names all of them.
    pub fn set(&self, missing: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }

    /// What is to be said of them; none when there is none.
    pub fn sentence(&self) -> Option<String> {
        let missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named: Vec<&str> = missing
            .iter()
            .take(MISSING_NAMED)
            .map(String::as_str)
            .collect();
        let count = missing.len();
        (count > 0).then(|| {
            format!(
                "{count} volume snapshots of recovery points were removed by somebody else, among them that of {}; \
                 these claims cannot be restored with their data from there",
                named.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use strongroom_repository::Error;

    use super::*;

    #[test]
    fn a_few_missing_snapshots_are_named_and_all_are_counted() {
        let missing = MissingSnapshots::default();
        assert_eq!(missing.sentence(), None);
        missing.set((0..9).map(|n| format!("shop/data-{n} in p")).collect());
        let sentence = missing.sentence().unwrap();
        assert!(sentence.starts_with("9 volume snapshots"), "{sentence}");
        assert!(sentence.contains("shop/data-0 in p, "), "{sentence}");
        assert!(!sentence.contains("data-8"), "{sentence}");
    }

    #[test]
    fn a_folder_or_memory_is_no_place_that_a_vault_may_name() {
        let config = |backend: serde_json::Value| -> StoreConfig {
            serde_json::from_value(serde_json::json!({ "backend": backend })).unwrap()
        };
        for backend in [
            serde_json::json!({"kind": "Local", "path": "/"}),
            serde_json::json!({"kind": "Memory"}),
        ] {
            let refused = RealStores.connect(&config(backend));
            assert!(matches!(refused, Err(Error::InvalidConfig { .. })));
        }
        let azure = serde_json::json!({
            "kind": "AzureBlob", "account": "acct", "container": "box", "accountKey": "a2V5",
        });
        assert!(RealStores.connect(&config(azure)).is_ok());
    }
}
