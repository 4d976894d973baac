//! `GET /{tenant}/discovery/v2.0/keys`: what the signatures of tokens are checked with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::{Tenant, other_tenant};
use crate::app::App;

pub(super) async fn handle(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Response {
    match other_tenant(&app, &tenant) {
        Some(refused) => refused,
        None => Json(app.token_key.published()).into_response(),
    }
}
