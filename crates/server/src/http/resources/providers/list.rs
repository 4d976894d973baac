//! `GET /subscriptions/{subscription}/providers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::document;
use crate::app::{App, Result};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Path(subscription): Path<String>,
) -> Result<Json<Value>> {
    let found = document::all(&app, &subscription).await?;
    Ok(Json(json!({ "value": found })))
}
