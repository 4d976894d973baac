//! `GET …/resourceGuards/{guard}/{type}Requests[/{request}]`: by what an operation is approved.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::GuardRequestResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, guards};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<GuardRequestResource>>> {
    let found = guards::requests(&app, &collection.without(1), collection.name()).await?;
    Ok(Json(page.page(found, None)))
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<GuardRequestResource>> {
    Ok(Json(guards::request(&app, &id).await?))
}
