//! `Microsoft.DataProtection/resourceGuards` and `backupVaults/backupResourceGuardProxies`: multi-user
//! authorization.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;

/// `ResourceGuardResource`.
pub type ResourceGuardResource = Resource<ResourceGuard>;

/// `ResourceGuard`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceGuard {
    /// Read-only: `Succeeded`.
    pub provisioning_state: Option<String>,
    /// Read-only.
    pub allow_auto_approvals: Option<bool>,
    /// Read-only: what it guards.
    pub resource_guard_operations: Option<Vec<ResourceGuardOperation>>,
    /// What it does not guard.
    pub vault_critical_operation_exclusion_list: Option<Vec<String>>,
    /// Read-only: what to do before a critical operation.
    pub description: Option<String>,
}

/// `ResourceGuardOperation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceGuardOperation {
    /// Name of the critical operation.
    pub vault_critical_operation: String,
    /// Type of its requests.
    pub request_resource_type: String,
}

/// `PatchResourceGuardInput`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "PatchResourceGuardInput")]
pub struct ResourceGuardPatch {
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
}

/// `DppBaseResource`: a request of a guard.
pub type GuardRequestResource = Resource<GuardRequest>;

/// A request has no properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardRequest {}

/// `ResourceGuardProxyBaseResource`.
pub type ResourceGuardProxyResource = Resource<ResourceGuardProxy>;

/// `ResourceGuardProxyBase`: a vault's link to its guard.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "ResourceGuardProxyBase")]
pub struct ResourceGuardProxy {
    /// The guard.
    pub resource_guard_resource_id: String,
    /// Read-only: what it guards, with the requests by which that is approved.
    pub resource_guard_operation_details: Option<Vec<ResourceGuardOperationDetail>>,
    /// Read-only.
    pub last_updated_time: Option<Timestamp>,
    /// Read-only: what to do before a critical operation.
    pub description: Option<String>,
}

/// `ResourceGuardOperationDetail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceGuardOperationDetail {
    /// Name of the critical operation.
    pub vault_critical_operation: String,
    /// Id of the request by which it is approved.
    pub default_resource_request: String,
}

/// `UnlockDeleteRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UnlockDeleteRequest {
    /// Ids of the requests of the guard that are asked for.
    pub resource_guard_operation_requests: Option<Vec<String>>,
    /// What is to be deleted.
    pub resource_to_be_deleted: Option<String>,
}

/// `UnlockDeleteResponse`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnlockDeleteResponse {
    /// Until when it may be deleted.
    pub unlock_delete_expiry_time: Timestamp,
}
