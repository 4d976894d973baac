//! Collection `roleAssignments` of a scope.

mod delete;
mod get;
mod list;
mod put;
#[cfg(test)]
mod tests;

use super::at_scopes;
use crate::http::route::Route;
use strongroom_api::authorization::RoleAssignmentResource;

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

pub(super) fn routes() -> Vec<Route> {
    at_scopes!("roleAssignments")
        .into_iter()
        .flat_map(|(all, one)| {
            [
                Route::new(all).get(READ, list::handle).documented(|it| {
                    let how = "atScope(), principalId eq 'ID' or assignedTo('ID'), joined by and";
                    it.filter(how);
                }),
                Route::new(one)
                    .get(READ, get::handle)
                    .put(WRITE, put::handle)
                    .delete(DELETE, delete::handle)
                    .documented(|it| {
                        it.json::<RoleAssignmentResource>(200);
                        it.empty(204);
                    }),
            ]
        })
        .collect()
}
