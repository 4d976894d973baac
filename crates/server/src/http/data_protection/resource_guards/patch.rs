//! `PATCH …/resourceGuards/{guard}`: its tags.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::{ResourceGuardPatch, ResourceGuardResource};

use crate::app::resources::Terms;
use crate::app::{App, Result, guards};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(patch): JsonBody<ResourceGuardPatch>,
) -> Result<Json<ResourceGuardResource>> {
    Ok(Json(guards::patch(&app, &id, patch, &terms).await?))
}
