//! Collection `blobServices/default/containers` of a storage account.

mod delete;
mod get;
mod list;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
const WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/write";
const DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/delete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}/blobServices/default/containers/{container}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}/blobServices/default/containers")
            .list(READ, list::handle),
    ]
}
