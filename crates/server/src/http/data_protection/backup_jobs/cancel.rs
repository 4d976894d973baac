//! `POST …/backupJobs/{job}/cancel`; ours, because the published contract names the action
//! (`supportedActions`) and no route for it. 202; the job is `Cancelling`, and then `Cancelled`, or, when
//! its recovery point was sealed before, `Completed`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::resources::Terms;
use crate::app::{App, Result, jobs};
use crate::http::long_running::Polling;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    polling: Polling,
) -> Result<Response> {
    let operation = jobs::cancel(&app, &id.without(1), &terms).await?;
    Ok(polling.accepted(&operation))
}

#[cfg(test)]
mod tests;
