//! `PUT {scope}/providers/Microsoft.Authorization/roleAssignments/{name}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::authorization::RoleAssignmentResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, role_assignments};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(assignment): JsonBody<RoleAssignmentResource>,
) -> Result<(StatusCode, Json<RoleAssignmentResource>)> {
    let (assignment, created) = role_assignments::put(&app, &id, assignment, &terms).await?;
    Ok((written(created), Json(assignment)))
}
