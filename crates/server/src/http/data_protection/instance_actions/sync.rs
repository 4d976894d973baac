//! `POST …/backupInstances/{instance}/sync`: what failed when the instance was configured is tried again;
//! with `syncType` ForceResync it is configured again in any case. 202.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::SyncBackupInstanceRequest;

use crate::app::instances::Synced;
use crate::app::resources::Terms;
use crate::app::{App, Result, instances};
use crate::http::long_running::Polling;
use crate::http::request::{OptionalJsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    polling: Polling,
    OptionalJsonBody(request): OptionalJsonBody<SyncBackupInstanceRequest>,
) -> Result<Response> {
    let kind = request.unwrap_or_default().sync_type.unwrap_or_default();
    match instances::sync(&app, &id.without(1), kind, &terms).await? {
        Synced::Nothing(operation) => Ok(polling.accepted(&operation)),
        Synced::Begun(operation) => {
            let answer = polling.accepted(&operation);
            tokio::spawn(instances::configure(app, operation));
            Ok(answer)
        }
    }
}
