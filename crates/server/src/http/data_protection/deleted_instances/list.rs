//! `GET …/deletedBackupInstances` of a vault.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::DeletedBackupInstanceResource;
use strongroom_api::list::Page;

use crate::app::instances::deleted;
use crate::app::{App, Result};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<DeletedBackupInstanceResource>>> {
    let vault = collection.without(1);
    let (found, next) = deleted::list(&app, &vault, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}
