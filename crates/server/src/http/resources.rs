//! Subscriptions and resource groups: what every client asks before it gets to a vault.

mod resource_groups;
mod subscriptions;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = subscriptions::routes();
    routes.extend(resource_groups::routes());
    routes
}
