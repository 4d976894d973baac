//! `Microsoft.Kubernetes/connectedClusters` and `Microsoft.ContainerService/managedClusters`:
//! registering a cluster. Both take and give the same shape here.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::secret::Secret;

/// `ConnectedCluster` / `ManagedCluster`.
pub type ClusterResource = Resource<ClusterProperties>;

/// What we keep of a cluster. All but `kubeconfig` is published (in one provider or the other).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterProperties {
    /// Ours, write-only: YAML of a kubeconfig with inline credentials; kept encrypted.
    pub kubeconfig: Option<Secret>,
    /// Ours, read-only: is one kept?
    pub has_kubeconfig: Option<bool>,
    /// Ours, read-only: the API server's URL in it.
    pub api_server: Option<String>,
    /// Ours, read-only: uid of its namespace `kube-system`, which tells one cluster from another.
    pub cluster_uid: Option<String>,
    /// Kept as sent; published clients require it of connected clusters.
    pub agent_public_key_certificate: Option<String>,
    /// Read-only.
    pub kubernetes_version: Option<String>,
    /// Kept as sent: `k3s`, `eks`, ….
    pub distribution: Option<String>,
    /// Kept as sent: `aws`, `azure_stack_hci`, ….
    pub infrastructure: Option<String>,
    /// Read-only: `Connecting`, `Connected`, `Offline`, `Expired`.
    pub connectivity_status: Option<String>,
    /// Ours, read-only: why it is not `Connected`.
    pub connectivity_message: Option<String>,
    /// Read-only: when it last answered.
    pub last_connectivity_time: Option<Timestamp>,
    /// Read-only.
    pub total_node_count: Option<i64>,
    /// Read-only.
    pub provisioning_state: Option<String>,
}

impl ClusterProperties {
    /// Takes the secret out, so that the rest can be stored and answered.
    pub fn take_secrets(&mut self) -> Option<Secret> {
        self.kubeconfig.take()
    }
}
