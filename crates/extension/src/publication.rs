//! What the extension tells the vault: `BackupExtension/backup-extension` in its namespace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use strongroom_core::{ResourceType, capability};
use strongroom_kubernetes::conditions::{self, SNAPSHOTS_PRESENT};
use strongroom_kubernetes::crd::{self, BackupExtensionStatus, EXTENSION_NAME};
use strongroom_kubernetes::{ClusterError, apply};

use crate::environment::Environment;
use crate::limits::{HEARTBEAT_INTERVAL, STATUS_MESSAGE_CHARS};

/// Publishes key, version and heartbeat.
#[derive(Debug)]
pub struct Publication {
    environment: Arc<Environment>,
    version: String,
    /// Whether the last heartbeat reached the API server.
    published: Arc<AtomicBool>,
    /// What was told last: the times of conditions are those of their last change.
    told: Mutex<BackupExtensionStatus>,
}

impl Publication {
    /// A publication of this program's version.
    pub fn new(environment: Arc<Environment>, version: String) -> Self {
        Self {
            environment,
            version,
            published: Arc::default(),
            told: Mutex::default(),
        }
    }

    /// Whether the last heartbeat reached the API server: the extension is ready.
    pub fn published(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.published)
    }

    /// Publishes at the named interval, for ever.
    pub async fn run(&self) {
        let mut interval = tokio::time::interval(HEARTBEAT_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let outcome = self.publish(true).await;
            let before = self.published.swap(outcome.is_ok(), Ordering::Relaxed);
            match outcome {
                Ok(()) if !before => tracing::info!("the extension is published as ready"),
                Err(error) if before => tracing::warn!(%error, "heartbeat not published"),
                _ => {}
            }
        }
    }

    /// Publishes once. `ready` is false when the process is going away.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn publish(&self, ready: bool) -> Result<(), ClusterError> {
        let environment = &self.environment;
        let storage = environment.storage.get();
        let missing = environment.missing_snapshots.sentence();
        let (reason, message) = match &missing {
            Some(sentence) => ("Missing", sentence.as_str()),
            None => ("AllThere", ""),
        };
        let now = environment.clock.now();
        let mut conditions = self.told().conditions.clone();
        let all_there = missing.is_none();
        conditions::set(
            &mut conditions,
            SNAPSHOTS_PRESENT,
            all_there,
            reason,
            message,
            None,
            now,
        );
        let status = BackupExtensionStatus {
            version: self.version.clone(),
            public_key: environment.keys.public_key_base64(),
            ready,
            heartbeat: Some(now),
            storage: storage.chars().take(STATUS_MESSAGE_CHARS).collect(),
            capabilities: capability::ALL
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            conditions,
        };
        *self.told() = status.clone();
        let status = json!(status);
        let kind = crd::resource_type("BackupExtension", "backupextensions");
        let patched = self.patch(&kind, &status).await;
        match patched {
            Err(error) if error.is_not_found() => {
                self.create(&kind).await?;
                self.patch(&kind, &status).await
            }
            other => other,
        }
    }

    fn told(&self) -> MutexGuard<'_, BackupExtensionStatus> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn patch(
        &self,
        kind: &ResourceType,
        status: &serde_json::Value,
    ) -> Result<(), ClusterError> {
        let Environment {
            cluster, namespace, ..
        } = &*self.environment;
        apply::patch_status(cluster, kind, Some(namespace), EXTENSION_NAME, status).await?;
        Ok(())
    }

    async fn create(&self, kind: &ResourceType) -> Result<(), ClusterError> {
        let object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.kind,
            "metadata": { "name": EXTENSION_NAME, "namespace": self.environment.namespace },
            "spec": {},
        });
        apply::create(&self.environment.cluster, kind, &object).await?;
        Ok(())
    }
}
