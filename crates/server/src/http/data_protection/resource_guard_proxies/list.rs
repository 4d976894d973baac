//! `GET …/backupResourceGuardProxies`: one or none.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::ResourceGuardProxyResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, guards};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ResourceGuardProxyResource>>> {
    let found = guards::list_proxies(&app, &collection.without(1)).await?;
    Ok(Json(page.page(found, None)))
}
