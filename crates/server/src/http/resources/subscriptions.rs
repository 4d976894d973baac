//! Collection `/subscriptions`.

mod get;
mod list;

use crate::http::route::Route;

const READ: &str = "Microsoft.Resources/subscriptions/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions").get(READ, list::handle),
        Route::new("/subscriptions/{subscription}").get(READ, get::handle),
    ]
}
