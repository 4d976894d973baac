//! The row of a role assignment.

use jiff::Timestamp;
use uuid::Uuid;

use super::Actor;

/// A role that a principal has at a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignmentRow {
    /// Lower-cased id: the identity.
    pub key: String,
    /// Id in its published spelling.
    pub id: String,
    /// Published id of the scope; empty for the root.
    pub scope: String,
    /// The role definition's id.
    pub role: Uuid,
    /// The principal's object id.
    pub principal: Uuid,
    /// `User`, `Group` or `ServicePrincipal`.
    pub principal_type: String,
    /// Why, in the words of who made it.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Actor,
}
