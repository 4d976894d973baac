//! What the cluster that is restored into serves.

use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::Cluster;
use strongroom_kubernetes::discovery::{self, Discovery};

use crate::job::{Attempt, JobFailure};

/// The cluster and what it serves.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) cluster: Cluster,
    discovery: Discovery,
}

/// Why objects of a type cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotServed {
    pub(super) code: Code,
    pub(super) reason: String,
}

impl Target {
    /// Asks the cluster.
    pub(super) async fn discover(attempt: &Attempt) -> Result<Self, JobFailure> {
        let cluster = attempt.environment.cluster.clone();
        let discovery = discovery::discover(&cluster).await?;
        Ok(Self { cluster, discovery })
    }

    /// Asks again: types were added.
    pub(super) async fn discover_again(&mut self) -> Result<(), JobFailure> {
        self.discovery = discovery::discover(&self.cluster).await?;
        Ok(())
    }

    /// Whether objects of a stored type can be created here as they are stored.
    pub(super) fn check(&self, resource: &ResourceType) -> Result<(), NotServed> {
        let ResourceType {
            group,
            version,
            kind,
            ..
        } = resource;
        let Some(served) = self.discovery.served_as(group, version, kind) else {
            let versions = self.discovery.versions(group, kind);
            let (code, reason) = if versions.is_empty() {
                let reason = format!("the cluster does not serve {}", resource.resource());
                (Code::ResourceTypeNotServed, reason)
            } else {
                let reason = format!(
                    "the cluster serves {} as {}, the recovery point holds {version}",
                    resource.resource(),
                    versions.join(", ")
                );
                (
                    Code::UserErrorSourceandTargetClusterCRDVersionMismatch,
                    reason,
                )
            };
            return Err(NotServed { code, reason });
        };
        if served.can("create") {
            return Ok(());
        }
        let reason = format!("objects of {resource} cannot be created, only read");
        Err(NotServed {
            code: Code::ResourceTypeNotServed,
            reason,
        })
    }

    /// The type that an owner reference or a class name means.
    pub(super) fn resolve(&self, api_version: &str, kind: &str) -> Option<&ResourceType> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let served = self
            .discovery
            .served_as(group, version, kind)
            .or_else(|| self.discovery.preferred(group, kind))?;
        Some(&served.resource)
    }
}
