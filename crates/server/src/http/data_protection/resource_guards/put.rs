//! `PUT …/resourceGuards/{guard}`: 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::guard::ResourceGuardResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, guards};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(guard): JsonBody<ResourceGuardResource>,
) -> Result<(StatusCode, Json<ResourceGuardResource>)> {
    let done = guards::put(&app, &id, guard, &terms).await?;
    Ok((written(done.created), Json(done.resource)))
}
