//! The audit log, read.

mod entries;
mod log;

use strongroom_api::audit::{ENTRIES, LOG};

use crate::http::route::Route;

const READ: &str = "Strongroom.Administration/auditEntries/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(ENTRIES).get(READ, entries::handle),
        Route::new(LOG).get(READ, log::handle),
    ]
}
