//! `/healthz`, `/readyz` and `/metrics`: about the process, not about what it protects.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::route::{Access, Route};
use crate::app::App;
use crate::app::admin_token::ADMIN_TOKEN_DIGEST;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/healthz", Access::Open).get("Strongroom/health/read", healthz),
        Route::process("/readyz", Access::Open).get("Strongroom/health/read", readyz),
        Route::process("/metrics", Access::Token).get("Strongroom/metrics/read", metrics),
    ]
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok"
}

/// The store answers too.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    let asked = async { app.store.read().await?.setting(ADMIN_TOKEN_DIGEST).await };
    match asked.await {
        Ok(_) => "ok".into_response(),
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").into_response()
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.encode()).into_response()
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn probes_are_open_and_metrics_need_the_token() {
        let harness = Harness::new().await;
        for path in ["/healthz", "/readyz"] {
            let answer = harness.anonymous("GET", path).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, "ok"), "{path}");
        }
        assert_eq!(harness.anonymous("GET", "/metrics").await.status, 401);
        let answer = harness.get("/metrics").await;
        assert!(
            answer.text.contains("strongroom_http_requests_total"),
            "{}",
            answer.text
        );
    }
}
