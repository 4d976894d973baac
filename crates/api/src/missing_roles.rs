//! Ours: the rights that a backup of an instance needs, and giving those that are missing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::UserFacingError;
use crate::instance::BackupInstance;

/// The body of `POST {vault}/assignMissingRoles`: the instance as it would be created. Its policy does not
/// matter and may be empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignMissingRolesRequest {
    /// The instance.
    pub backup_instance: BackupInstance,
    /// Only say what is missing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of `POST {instance}/assignMissingRoles`, of an instance that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignMissingRolesOptions {
    /// Only say what is missing.
    pub dry_run: bool,
}

/// Every right that a backup of an instance needs, and what became of it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignedRoles {
    /// `AssignedRoles`.
    pub object_type: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The rights, in the order in which they are given.
    pub roles: Vec<AssignedRole>,
    /// What is missing and not this server's to give.
    pub not_assignable: Vec<UserFacingError>,
}

/// A right, and what became of it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignedRole {
    /// The role: a published one, or that of the extension.
    pub role: String,
    /// Who has it: the vault's id, or that of the extension.
    pub principal: String,
    /// Where: the cluster's id.
    pub scope: String,
    /// What became of it.
    pub state: RoleState,
    /// What was missing, or why it is missing still.
    pub detail: Option<String>,
}

/// What became of a right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoleState {
    /// It was there.
    Present,
    /// It is missing; nothing was changed.
    #[default]
    Missing,
    /// It was missing and has been given.
    Assigned,
    /// It is missing and could not be given.
    Failed,
}
