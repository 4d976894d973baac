//! `strongroom role assignment`.

use strongroom_api::authorization::RoleAssignmentResource;
use strongroom_core::authorization::RoleDefinition;

use crate::commands::verbs;
use crate::output::{self, Columns};

verbs! {
    /// Assign a role; the root of all scopes is `/`
    Create(create),
    /// List what is assigned at a scope, above it and below it
    List(list),
    /// Take a role back
    Delete(delete),
}

const COLUMNS: Columns<RoleAssignmentResource> = &[
    ("ROLE", |assignment| {
        let id = &assignment.properties.role_definition_id;
        let id = id.rsplit('/').next().unwrap_or_default();
        let known = id.parse().ok().and_then(RoleDefinition::of_id);
        known.map_or(id, |role| role.name).to_owned()
    }),
    ("PRINCIPAL", |assignment| {
        assignment.properties.principal_id.clone()
    }),
    ("TYPE", |assignment| {
        output::or_nothing(assignment.properties.principal_type.as_deref())
    }),
    ("SCOPE", |assignment| {
        output::or_nothing(assignment.properties.scope.as_deref())
    }),
    ("NAME", |assignment| {
        output::or_nothing(assignment.name.as_deref())
    }),
];
