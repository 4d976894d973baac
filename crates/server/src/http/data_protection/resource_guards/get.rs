//! `GET …/resourceGuards/{guard}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::ResourceGuardResource;

use crate::app::{App, Result, guards};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ResourceGuardResource>> {
    Ok(Json(guards::get(&app, &id).await?))
}
