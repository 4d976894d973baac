//! Collection `roleDefinitions` of a scope: the built-in roles, which are the same everywhere.

mod get;
mod list;

use strongroom_api::arm::Resource;
use strongroom_api::authorization::{Permission, RoleDefinition, RoleDefinitionResource};
use strongroom_core::authorization as core;

use super::at_scopes;
use crate::app::ResourceId;
use crate::app::role_assignments::DEFINITION_TYPE;
use crate::http::route::{Reach, Route};

const READ: &str = "Microsoft.Authorization/roleDefinitions/read";

pub(super) fn routes() -> Vec<Route> {
    let at = at_scopes!("roleDefinitions");
    at.into_iter()
        .flat_map(|(all, one)| {
            [
                Route::new(all)
                    .get(READ, list::handle)
                    .documented(|it| it.filter("roleName eq 'NAME'")),
                Route::new(one).get(READ, get::handle),
            ]
        })
        // What a built-in role is, is no secret: at the root whoever is known may ask.
        .map(|route| {
            if route.path.starts_with("/providers/") {
                route.reaching(Reach::Anyone)
            } else {
                route
            }
        })
        .collect()
}

/// A definition as clients see it at a scope.
fn document(scope: &ResourceId, role: &core::RoleDefinition) -> RoleDefinitionResource {
    let within = match scope.after("subscriptions") {
        Some(_) => scope.subscription().as_str().to_owned(),
        None => String::new(),
    };
    let owned = |patterns: &[&str]| patterns.iter().map(|text| (*text).to_owned()).collect();
    let mut resource = Resource::of(RoleDefinition {
        role_name: role.name.to_owned(),
        role_type: Some("BuiltInRole".to_owned()),
        description: Some(role.description.to_owned()),
        assignable_scopes: vec!["/".to_owned()],
        permissions: role
            .permissions
            .iter()
            .map(|permission| Permission {
                actions: owned(permission.actions),
                not_actions: owned(permission.not_actions),
                ..Permission::default()
            })
            .collect(),
    });
    resource.id = Some(format!("{within}/providers/{DEFINITION_TYPE}/{}", role.id));
    resource.name = Some(role.id.to_string());
    resource.resource_type = Some(DEFINITION_TYPE.to_owned());
    resource
}
