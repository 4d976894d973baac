//! Collection `deletedVaults` of a location. One is brought back by a PUT of the vault that names it.

mod get;
mod list;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/locations/deletedVaults/read";

/// The first published version with this collection.
const SINCE: &str = "2025-09-01";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults")
            .since(SINCE)
            .get(READ, list::handle),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults/{vault}")
            .since(SINCE)
            .get(READ, get::handle),
    ]
}
