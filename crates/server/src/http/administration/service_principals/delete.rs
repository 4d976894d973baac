//! `DELETE …/servicePrincipals/{client}`: 200, or 204 when there was none.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, service_principals};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(
        service_principals::delete(&app, &id, &terms).await?,
    ))
}
