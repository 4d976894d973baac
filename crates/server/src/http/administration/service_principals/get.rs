//! `GET …/servicePrincipals/{client}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::service_principal::ServicePrincipalResource;

use crate::app::{App, Result, service_principals};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ServicePrincipalResource>> {
    Ok(Json(service_principals::get(&app, &id).await?))
}
