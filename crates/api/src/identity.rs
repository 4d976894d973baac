//! Managed identities, as far as resources name them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// `DppIdentityDetails`: the identity of a vault (clusters and extensions have the same shape).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DppIdentityDetails")]
pub struct Identity {
    /// `SystemAssigned`, `UserAssigned`, `SystemAssigned,UserAssigned` or `None`.
    #[serde(rename = "type")]
    pub identity_type: Option<String>,
    /// Set by the server.
    pub principal_id: Option<String>,
    /// Set by the server.
    pub tenant_id: Option<String>,
    /// By resource id.
    pub user_assigned_identities: Option<BTreeMap<String, UserAssignedIdentity>>,
}

/// One user-assigned identity.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserAssignedIdentity {
    /// Set by the server.
    pub principal_id: Option<String>,
    /// Set by the server.
    pub client_id: Option<String>,
}

/// `IdentityDetails`: which identity an instance or a restore acts with.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityDetails {
    /// True: the vault's own identity.
    pub use_system_assigned_identity: Option<bool>,
    /// Else the resource id of a user-assigned one.
    pub user_assigned_identity_arm_url: Option<String>,
}
