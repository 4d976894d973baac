//! `DELETE …/backupResourceGuardProxies/{proxy}`: 200, or 204 when there was none. Needs the approval of the guard.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, guards};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(guards::delete_proxy(&app, &id, &terms).await?))
}
