//! `POST …/backupResourceGuardProxies/{proxy}/unlockDelete`: the next delete of what is named has the approval
//! of the guard.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::guard::{UnlockDeleteRequest, UnlockDeleteResponse};

use crate::app::resources::Terms;
use crate::app::{App, Result, guards};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(request): JsonBody<UnlockDeleteRequest>,
) -> Result<Json<UnlockDeleteResponse>> {
    let unlocked = guards::unlock_delete(&app, &id.without(1), &request, &terms).await?;
    Ok(Json(unlocked))
}
