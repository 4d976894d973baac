//! Tenants, subscriptions, providers and resource groups: what every client asks before it gets to a vault.

mod contents;
mod providers;
mod resource_groups;
mod subscriptions;
mod tenants;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = subscriptions::routes();
    routes.extend(resource_groups::routes());
    routes.extend(contents::routes());
    routes.extend(tenants::routes());
    routes.extend(providers::routes());
    routes
}
