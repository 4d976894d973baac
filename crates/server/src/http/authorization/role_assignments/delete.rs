//! `DELETE {scope}/providers/Microsoft.Authorization/roleAssignments/{name}`: 200 with what it was, or 204
//! when there was none.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::app::resources::Terms;
use crate::app::{App, Result, role_assignments};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<Response> {
    Ok(match role_assignments::delete(&app, &id, &terms).await? {
        Some(deleted) => Json(deleted).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
