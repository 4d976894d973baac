//! *Ours*: provider `Strongroom.Administration`, about the server itself and who signs in to it.

mod audit;
mod me;
mod object_ids;
mod rotate_token;
mod service_principals;

use super::route::Route;

const ROTATE: &str = "Strongroom.Administration/tokens/rotate/action";

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(strongroom_api::administration::ROTATE_ADMIN_TOKEN)
            .post(ROTATE, rotate_token::handle),
    ];
    routes.extend(me::routes());
    routes.extend(object_ids::routes());
    routes.extend(service_principals::routes());
    routes.extend(audit::routes());
    routes
}
