//! `POST /subscriptions/{subscription}/providers/{namespace}/register`: it is registered already.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::get::one;
use crate::app::{App, Result};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Path((subscription, namespace)): Path<(String, String)>,
) -> Result<Json<Value>> {
    one(&app, &subscription, &namespace).await.map(Json)
}
