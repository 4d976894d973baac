//! `GET …/resourceGuards` of a resource group and of a subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::ResourceGuardResource;
use strongroom_api::list::Page;

use crate::app::{App, ResourceId, Result, guards};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn of_group(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ResourceGuardResource>>> {
    // The address ends in …/providers/Microsoft.DataProtection/resourceGuards.
    list(&app, &collection.without(3), &page).await
}

pub(super) async fn of_subscription(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ResourceGuardResource>>> {
    list(&app, &collection.subscription(), &page).await
}

async fn list(
    app: &App,
    scope: &ResourceId,
    page: &PageRequest,
) -> Result<Json<Page<ResourceGuardResource>>> {
    let (found, next) = guards::list(app, scope, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}
