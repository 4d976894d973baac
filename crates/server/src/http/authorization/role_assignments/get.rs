//! `GET {scope}/providers/Microsoft.Authorization/roleAssignments/{name}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::authorization::RoleAssignmentResource;

use crate::app::{App, Result, role_assignments};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<RoleAssignmentResource>> {
    Ok(Json(role_assignments::get(&app, &id).await?))
}
