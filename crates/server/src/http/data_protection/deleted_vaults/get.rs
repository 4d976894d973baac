//! `GET …/locations/{location}/deletedVaults/{vault}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::vault::DeletedBackupVaultResource;

use crate::app::vaults::deleted;
use crate::app::{App, Result};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<DeletedBackupVaultResource>> {
    Ok(Json(deleted::get(&app, &id).await?))
}
