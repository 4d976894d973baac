//! Provider `Strongroom.Administration`: ours, about the server itself.

mod rotate_token;

use strongroom_api::administration::ROTATE_ADMIN_TOKEN;

use super::route::Route;

const ROTATE: &str = "Strongroom.Administration/tokens/rotate/action";

pub(super) fn routes() -> Vec<Route> {
    vec![Route::new(ROTATE_ADMIN_TOKEN).post(ROTATE, rotate_token::handle)]
}
