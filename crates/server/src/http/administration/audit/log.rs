//! `GET …/auditLog`: where the log begins and ends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::audit::{AuditAnchor, AuditLog};
use strongroom_core::audit::Head;

use crate::app::{App, Result, audit};

pub(super) async fn handle(State(app): State<Arc<App>>) -> Result<Json<AuditLog>> {
    let (base, head) = audit::bounds(&app).await?;
    let anchor = |head: Head| AuditAnchor {
        sequence: head.sequence,
        hash: head.hash.to_string(),
    };
    Ok(Json(AuditLog {
        base: anchor(base),
        head: anchor(head),
    }))
}
