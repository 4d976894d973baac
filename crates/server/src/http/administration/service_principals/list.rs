//! `GET …/servicePrincipals`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::service_principal::ServicePrincipalResource;

use crate::app::{App, Result, service_principals};
use crate::http::pagination::PageRequest;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    page: PageRequest,
) -> Result<Json<Page<ServicePrincipalResource>>> {
    let (found, next) = service_principals::list(&app, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}
