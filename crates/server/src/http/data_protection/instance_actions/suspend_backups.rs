//! `POST …/backupInstances/{instance}/suspendBackups`: the schedule rests, retention goes on. 202 with the addresses of an
//! operation that has ended already. The body may be left out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::StopProtectionRequest;
use strongroom_core::protection::Action;

use crate::app::resources::Terms;
use crate::app::{App, Result, instances};
use crate::http::long_running::Polling;
use crate::http::request::{OptionalJsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    polling: Polling,
    OptionalJsonBody(_): OptionalJsonBody<StopProtectionRequest>,
) -> Result<Response> {
    let operation = instances::change(&app, &id.without(1), Action::SuspendBackups, &terms).await?;
    Ok(polling.accepted(&operation))
}
