//! `GET …/deletedBackupInstances/{instance}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::DeletedBackupInstanceResource;

use crate::app::instances::deleted;
use crate::app::{App, Result};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<DeletedBackupInstanceResource>> {
    Ok(Json(deleted::get(&app, &id).await?))
}
