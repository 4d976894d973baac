//! `PUT …/backupResourceGuardProxies/{proxy}`: links the vault to a guard, which the caller may read. 200, on
//! create too.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::ResourceGuardProxyResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, guards};
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    authority: Authority,
    terms: Terms,
    JsonBody(proxy): JsonBody<ResourceGuardProxyResource>,
) -> Result<Json<ResourceGuardProxyResource>> {
    let guard = &proxy.properties.resource_guard_resource_id;
    authority.require_linked("Microsoft.DataProtection/resourceGuards/read", guard)?;
    let done = guards::put_proxy(&app, &id, proxy, &terms).await?;
    Ok(Json(done.resource))
}
