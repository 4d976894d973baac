//! `POST …/exportBackupJobs`: 202; `Location` is where the links to the files are read.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::app::{App, Result, export_jobs};
use crate::http::long_running::Polling;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
) -> Result<Response> {
    let vault = id.without(1);
    let operation = export_jobs::begin(&app, &vault).await?;
    let mut answer = polling.accepted(&operation);
    let result = format!(
        "{}/backupJobs/operations/{}",
        operation.resource_id, operation.id
    );
    if let Ok(result) = HeaderValue::from_str(&polling.address_of(&result)) {
        answer.headers_mut().insert(header::LOCATION, result);
    }
    Ok(answer)
}
