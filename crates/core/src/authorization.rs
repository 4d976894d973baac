//! Who may do what: role definitions, their assignments at scopes, and the one decision over them.
//!
//! Contract: what no assignment grants is denied. An assignment holds at its scope and at all that lies
//! below it. `NotActions` take away from the actions of their own permission only; they are no denial, so
//! that another assignment may grant what they leave out. Every decision names what made it. Rules:
//! <https://learn.microsoft.com/azure/role-based-access-control/overview> and, for wildcards,
//! <https://learn.microsoft.com/azure/role-based-access-control/role-definitions>.

mod definitions;
mod scope;
#[cfg(test)]
mod tests;

use std::fmt;

use uuid::Uuid;

pub use definitions::{
    BACKUP_CONTRIBUTOR, BACKUP_MUA_ADMIN, BACKUP_MUA_OPERATOR, BACKUP_OPERATOR, BACKUP_READER,
    CONTRIBUTOR, DATA_OPERATOR_FOR_MANAGED_DISKS, DEFINITIONS, DISK_SNAPSHOT_CONTRIBUTOR, OWNER,
    READER, STORAGE_ACCOUNT_CONTRIBUTOR, STORAGE_BLOB_DATA_CONTRIBUTOR, USER_ACCESS_ADMINISTRATOR,
};
pub use scope::{InvalidScope, Scope};

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Patterns of the actions that it grants.
    pub actions: &'static [&'static str],
    /// Patterns of what these do not include after all.
    pub not_actions: &'static [&'static str],
}

/// A role definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleDefinition {
    /// Its published id.
    pub id: Uuid,
    /// Its published name.
    pub name: &'static str,
    /// Its published description.
    pub description: &'static str,
    /// What it grants; what any of them grants is granted.
    pub permissions: &'static [Permission],
}

impl RoleDefinition {
    /// The definition with this id.
    #[must_use]
    pub fn of_id(id: Uuid) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|role| role.id == id)
    }

    /// The definition with this name, in any case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<&'static Self> {
        DEFINITIONS
            .iter()
            .find(|role| role.name.eq_ignore_ascii_case(name))
    }

    /// Whether it grants an action.
    #[must_use]
    pub fn grants(&self, action: &str) -> bool {
        let any = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, action));
        self.permissions
            .iter()
            .any(|permission| any(permission.actions) && !any(permission.not_actions))
    }
}

/// A role that somebody has at a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its id, for whoever wants to know why something was allowed.
    pub id: String,
    /// Where it holds, and below.
    pub scope: Scope,
    /// The role. One that is not known grants nothing.
    pub role: Uuid,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// This assignment grants it.
    Allowed(&'a Assignment),
    /// Nothing grants it.
    Denied(Denial),
}

/// Why something is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No role is assigned at this scope or above it.
    NothingAssigned,
    /// The roles that are assigned there do not include the action.
    NotIncluded(Vec<&'static str>),
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingAssigned => f.write_str("no role is assigned at this scope or above it"),
            Self::NotIncluded(roles) => {
                write!(f, "the action is not part of {}", roles.join(", "))
            }
        }
    }
}

impl Decision<'_> {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Decides whether somebody with these assignments may do `action` at `scope`.
#[must_use]
pub fn decide<'a>(assignments: &'a [Assignment], action: &str, scope: &Scope) -> Decision<'a> {
    let mut held = Vec::new();
    for assignment in assignments.iter().filter(|one| one.scope.covers(scope)) {
        match RoleDefinition::of_id(assignment.role) {
            Some(role) if role.grants(action) => return Decision::Allowed(assignment),
            Some(role) => held.push(role.name),
            None => {}
        }
    }
    Decision::Denied(if held.is_empty() {
        Denial::NothingAssigned
    } else {
        held.sort_unstable();
        held.dedup();
        Denial::NotIncluded(held)
    })
}

/// Whether `action` may be done anywhere below `scope`: then a list of what lies there is not refused but
/// shows what may be seen, as Azure Resource Manager's lists do.
#[must_use]
pub fn is_granted_below(assignments: &[Assignment], action: &str, scope: &Scope) -> bool {
    assignments
        .iter()
        .filter(|one| scope.covers(&one.scope))
        .filter_map(|one| RoleDefinition::of_id(one.role))
        .any(|role| role.grants(action))
}

/// Whether any role is assigned at, above or below `scope`: who has one anywhere in a subscription sees
/// that it exists. Source: <https://learn.microsoft.com/rest/api/resources/subscriptions/list>.
#[must_use]
pub fn is_present(assignments: &[Assignment], scope: &Scope) -> bool {
    assignments
        .iter()
        .filter(|one| RoleDefinition::of_id(one.role).is_some())
        .any(|one| one.scope.covers(scope) || scope.covers(&one.scope))
}

/// Whether a pattern covers an action: without regard to case, and `*` stands for any text, slashes
/// included. One pass with a single place to come back to, so that no pattern is slow.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < action.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if byte.eq_ignore_ascii_case(&action[read]) => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                Some((place, from)) => {
                    *from += 1;
                    at = *place + 1;
                    read = *from;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
