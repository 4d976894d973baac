//! `Microsoft.Authorization`: role definitions and role assignments, as `azure-mgmt-authorization` has
//! them (api-version 2022-04-01).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;

/// `RoleAssignment`.
pub type RoleAssignmentResource = Resource<RoleAssignment>;

/// `RoleAssignmentProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignment {
    /// Read-only: where it holds, and below.
    pub scope: Option<String>,
    /// Id of a [`RoleDefinitionResource`].
    pub role_definition_id: String,
    /// Object id of who has the role.
    pub principal_id: String,
    /// `User`, `Group` or `ServicePrincipal`.
    pub principal_type: Option<String>,
    /// Why.
    pub description: Option<String>,
    /// A condition; not supported here.
    pub condition: Option<String>,
    /// Read-only.
    pub created_on: Option<Timestamp>,
    /// Read-only.
    pub updated_on: Option<Timestamp>,
    /// Read-only: object id of who made it.
    pub created_by: Option<String>,
    /// Read-only: object id of who wrote it last.
    pub updated_by: Option<String>,
}

/// `RoleDefinition`.
pub type RoleDefinitionResource = Resource<RoleDefinition>;

/// `RoleDefinitionProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleDefinition {
    /// What people call it.
    pub role_name: String,
    /// `BuiltInRole`.
    #[serde(rename = "type")]
    pub role_type: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it can be assigned.
    pub assignable_scopes: Vec<String>,
    /// What it grants.
    pub permissions: Vec<Permission>,
}

/// `Permission`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// Patterns of what these do not include.
    pub not_actions: Vec<String>,
    /// Patterns of actions on data.
    pub data_actions: Vec<String>,
    /// Patterns of what these do not include.
    pub not_data_actions: Vec<String>,
}
