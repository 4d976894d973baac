//! Collection `/subscriptions`.

mod get;
mod list;

use crate::http::route::{Reach, Route};

const READ: &str = "Microsoft.Resources/subscriptions/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions")
            .reaching(Reach::Anyone)
            .list(READ, list::handle),
        Route::new("/subscriptions/{subscription}")
            .reaching(Reach::Presence)
            .get(READ, get::handle),
    ]
}
