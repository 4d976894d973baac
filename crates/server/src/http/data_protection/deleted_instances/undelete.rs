//! `POST …/deletedBackupInstances/{instance}/undelete`: it is back, its protection stopped. 202 with the
//! addresses of an operation that has ended already.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::resources::Terms;
use crate::app::{App, Result, instances};
use crate::http::long_running::Polling;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    polling: Polling,
) -> Result<Response> {
    let operation = instances::undelete(&app, &id.without(1), &terms).await?;
    Ok(polling.accepted(&operation))
}
