//! `GET …/backupResourceGuardProxies/{proxy}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::ResourceGuardProxyResource;

use crate::app::{App, Result, guards};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ResourceGuardProxyResource>> {
    Ok(Json(guards::get_proxy(&app, &id).await?))
}
