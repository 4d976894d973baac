//! The resource providers of a subscription: what there is, as the table of routes has it. All of them are
//! registered, always.

mod document;
mod get;
mod list;
mod register;

use crate::http::route::{Reach, Route};

const READ: &str = "Microsoft.Resources/subscriptions/providers/read";
const REGISTER: &str = "Microsoft.Resources/subscriptions/providers/register/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::resources("/subscriptions/{subscription}/providers")
            .reaching(Reach::Presence)
            .get(READ, list::handle),
        Route::resources("/subscriptions/{subscription}/providers/{namespace}")
            .reaching(Reach::Presence)
            .get(READ, get::handle),
        Route::resources("/subscriptions/{subscription}/providers/{namespace}/register")
            .post(REGISTER, register::handle),
    ]
}
