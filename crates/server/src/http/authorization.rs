//! Provider `Microsoft.Authorization`: who may do what, and where.
//!
//! Role definitions and assignments are asked for at a scope, which is the beginning of the address: the
//! root, a subscription, a resource group, or any resource or child of one.

mod role_assignments;
mod role_definitions;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = role_assignments::routes();
    routes.extend(role_definitions::routes());
    routes
}

/// The addresses of a collection of the provider, and of one of its members, at each form of a scope.
macro_rules! at_scopes {
    ($collection:literal) => {
        $crate::http::authorization::at_scopes!(@each $collection;
            "",
            "/subscriptions/{subscription}",
            "/subscriptions/{subscription}/resourceGroups/{group}",
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{resource}",
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{resource}/{kind}/{child}",
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{resource}/{kind}/{child}/{part}/{name}",
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{resource}/providers/{addition}/{kind}/{child}",
        )
    };
    (@each $collection:literal; $($scope:literal,)+) => {
        [$((
            concat!($scope, "/providers/Microsoft.Authorization/", $collection),
            concat!($scope, "/providers/Microsoft.Authorization/", $collection, "/{id}"),
        )),+]
    };
}
use at_scopes;
