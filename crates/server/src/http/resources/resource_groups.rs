//! Collection `resourceGroups` of a subscription.

mod delete;
mod get;
mod list;
mod patch;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
const WRITE: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";
const DELETE: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups").list(READ, list::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .patch(WRITE, patch::handle)
            .delete(DELETE, delete::handle),
    ]
}
