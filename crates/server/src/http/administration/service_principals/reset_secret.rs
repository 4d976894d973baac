//! `POST …/servicePrincipals/{client}/resetSecret`: a new secret, which is told this once. The answer must
//! not be kept by anything in between.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use strongroom_api::service_principal::{NewSecret, ResetSecretRequest};

use crate::app::resources::Terms;
use crate::app::{App, Result, service_principals};
use crate::http::request::{OptionalJsonBody, Target};

type NotKept = [(HeaderName, HeaderValue); 1];

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    OptionalJsonBody(request): OptionalJsonBody<ResetSecretRequest>,
) -> Result<(NotKept, Json<NewSecret>)> {
    let request = request.unwrap_or_default();
    let made = service_principals::reset_secret(&app, &id.without(1), &request, &terms).await?;
    let not_kept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((not_kept, Json(made)))
}
