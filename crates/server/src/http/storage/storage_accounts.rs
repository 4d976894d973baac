//! Collection `storageAccounts`.

mod delete;
mod get;
mod list;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.Storage/storageAccounts/read";
const WRITE: &str = "Microsoft.Storage/storageAccounts/write";
const DELETE: &str = "Microsoft.Storage/storageAccounts/delete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts")
            .list(READ, list::handle),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts")
            .list(READ, list::handle),
    ]
}
