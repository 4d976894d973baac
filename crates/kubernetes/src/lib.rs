//! Everything of Strongroom that speaks to a Kubernetes API server.
//!
//! Contract: kube's types stay in here, as far as they go; other crates see [`cluster::Cluster`],
//! the domain types of `strongroom_core`, JSON, and the custom resources in [`crd`]. Nothing here
//! decides what is backed up or restored. Memory is bounded by a page of a list, whatever the
//! cluster holds. No clock and no random numbers of its own: where one is needed it is an argument.

pub mod access;
pub mod apply;
pub mod cluster;
pub mod collect;
pub mod conditions;
pub mod crd;
pub mod discovery;
pub mod exec;
pub mod hooks;
pub mod install;
pub mod jobs;
pub mod limits;
pub mod sealed;
pub mod snapshots;
#[cfg(test)]
mod testing;

pub use cluster::{Cluster, ClusterError, Failure, Retries, Timeouts};

/// The namespace of the extension unless another is chosen; as published for Azure Backup for AKS.
pub const EXTENSION_NAMESPACE: &str = "dataprotection-microsoft";

/// Who owns the fields that we apply (server-side apply).
pub const FIELD_MANAGER: &str = "strongroom";

/// The recommended label that says which tool made an object; on our own objects only, never on a
/// user's (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>).
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY_LABEL`] on what we made.
pub const MANAGED_BY: &str = "strongroom";
