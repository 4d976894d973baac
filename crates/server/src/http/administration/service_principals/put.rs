//! `PUT …/servicePrincipals/{client}`: 201 when new, else 200. The name is the client id.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::service_principal::ServicePrincipalResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, service_principals};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(principal): JsonBody<ServicePrincipalResource>,
) -> Result<(StatusCode, Json<ServicePrincipalResource>)> {
    let (principal, created) = service_principals::put(&app, &id, principal, &terms).await?;
    Ok((written(created), Json(principal)))
}
