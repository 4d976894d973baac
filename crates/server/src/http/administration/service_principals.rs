//! Collection `servicePrincipals`: the identities of programs.

mod delete;
mod get;
mod list;
mod put;
mod reset_secret;
#[cfg(test)]
mod tests;

use crate::http::route::Route;

const READ: &str = "Strongroom.Administration/servicePrincipals/read";
const WRITE: &str = "Strongroom.Administration/servicePrincipals/write";
const DELETE: &str = "Strongroom.Administration/servicePrincipals/delete";
const RESET: &str = "Strongroom.Administration/servicePrincipals/resetSecret/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/providers/Strongroom.Administration/servicePrincipals")
            .get(READ, list::handle),
        Route::new("/providers/Strongroom.Administration/servicePrincipals/{client}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/providers/Strongroom.Administration/servicePrincipals/{client}/resetSecret")
            .post(RESET, reset_secret::handle),
    ]
}
