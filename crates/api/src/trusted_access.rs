//! `…/managedClusters/{c}/trustedAccessRoleBindings`: lets a vault into a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;

/// The one role there is; it grants nothing but our custom resources.
pub const BACKUP_OPERATOR: &str = "Microsoft.DataProtection/backupVaults/backup-operator";

/// `TrustedAccessRoleBinding`.
pub type TrustedAccessRoleBindingResource = Resource<TrustedAccessRoleBinding>;

/// `TrustedAccessRoleBindingProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustedAccessRoleBinding {
    /// Read-only.
    pub provisioning_state: Option<String>,
    /// The vault's resource id.
    pub source_resource_id: String,
    /// For example [`BACKUP_OPERATOR`].
    pub roles: Vec<String>,
}
