//! The public contract over HTTP: one file for each endpoint, grouped by provider and collection.
//!
//! Layers, from outside: ids, log and time limit ([`correlation`]) → addresses without regard to
//! case ([`path_case`]) → route → audit log ([`audit`]) → token ([`auth`]) → `api-version`
//! ([`api_version`]) → right ([`permit`]) → handler.
//! Handlers read a request, call one use case of `app`, and write its answer; they decide nothing.

mod administration;
mod api_version;
mod audit;
pub mod auth;
mod authorization;
mod clusters;
mod correlation;
mod data_protection;
mod error;
mod exports;
mod filter;
mod kubernetes_configuration;
mod limits;
mod login;
mod long_running;
mod metadata;
mod openapi;
mod pagination;
mod path_case;
mod permit;
mod process;
mod request;
mod resources;
mod route;
mod storage;
#[cfg(test)]
mod tests;
mod trusted_access_role_bindings;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request_with_state};
use axum::response::Response;
use strongroom_core::error::{Code, Problem};

use crate::app::App;
use correlation::Correlation;
use error::respond;
use path_case::PathCase;
use route::{Access, Route};

pub(crate) use limits::SHUTDOWN_GRACE;
#[cfg(test)]
pub(crate) use openapi::tests::assert_documented;

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = process::routes();
    routes.extend(resources::routes());
    routes.extend(clusters::routes());
    routes.extend(storage::routes());
    routes.extend(data_protection::routes());
    routes.extend(trusted_access_role_bindings::routes());
    routes.extend(kubernetes_configuration::routes());
    routes.extend(authorization::routes());
    routes.extend(administration::routes());
    routes.extend(login::routes());
    routes.extend(exports::routes());
    routes.extend(metadata::routes());
    routes.extend(openapi::routes());
    routes
}

/// The service of the public contract. A request may take up to `limit`.
pub fn router(app: Arc<App>, limit: Duration) -> Router {
    let token = from_fn_with_state(Arc::clone(&app), auth::require_token);
    assemble(app, limit, |guarded| guarded.layer(token))
}

/// The same for whoever this is, whatever token a request has.
#[cfg(test)]
pub(crate) fn router_of(app: Arc<App>, limit: Duration, principal: auth::Principal) -> Router {
    assemble(app, limit, |guarded| {
        guarded.layer(axum::Extension(principal))
    })
}

fn assemble(
    app: Arc<App>,
    limit: Duration,
    authenticated: impl FnOnce(Router<Arc<App>>) -> Router<Arc<App>>,
) -> Router {
    let audit = audit::Audit::of(&app, &routes());
    let paths = PathCase::new(routes().iter().map(|route| route.path));
    let mut open = Router::new();
    let mut guarded = Router::new();
    for route in routes() {
        let (versions, since) = (route.versions, route.since);
        let gate = permit::Gate::of(&app, &route);
        let handlers = match route.access {
            Access::Open => route.handlers,
            Access::Token => route
                .handlers
                .route_layer(from_fn_with_state(gate, permit::permit)),
        };
        let handlers = handlers.route_layer(from_fn(move |request: Request, next: Next| {
            api_version::check(versions, since, request, next)
        }));
        match route.access {
            Access::Open => open = open.route(route.path, handlers),
            Access::Token => guarded = guarded.route(route.path, handlers),
        }
    }
    let guarded = authenticated(
        guarded
            .fallback(no_route)
            .method_not_allowed_fallback(no_method),
    );
    let routed = open
        .merge(guarded)
        .layer(from_fn_with_state(audit, audit::enter))
        .with_state(Arc::clone(&app));
    // The rewrite must happen before routing, so the routed part is the inner service of another.
    Router::new()
        .fallback_service(routed)
        .layer(map_request_with_state(Arc::new(paths), rewrite))
        .layer(from_fn_with_state(
            Correlation { app, limit },
            correlation::correlate,
        ))
}

async fn rewrite(
    axum::extract::State(paths): axum::extract::State<Arc<PathCase>>,
    request: Request,
) -> Request {
    paths.rewrite(request)
}

/// The answer to whoever connects while there are too many connections.
pub(crate) fn too_many_connections() -> Response {
    let mut response = respond(&Problem::new(
        Code::ServiceUnavailable,
        "The server has as many connections as it serves at a time; close some, or connect again later.",
    ));
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

async fn no_route(request: Request) -> Response {
    respond(&Problem::new(
        Code::NotFound,
        format!(
            "The address '{}' is no route of this server.",
            request.uri().path()
        ),
    ))
}

async fn no_method(request: Request) -> Response {
    respond(&Problem::new(
        Code::MethodNotAllowed,
        format!(
            "The resource at '{}' does not take {}.",
            request.uri().path(),
            request.method()
        ),
    ))
}
