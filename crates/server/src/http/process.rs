//! `/healthz`, `/readyz` and `/metrics`: about the process, not about what it protects.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::route::{Access, Route};
use crate::app::{App, readiness};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/healthz", Access::Open).get("Strongroom/health/read", healthz),
        Route::process("/readyz", Access::Open)
            .get("Strongroom/health/read", readyz)
            .documented(|it| {
                it.text(200, "text/plain");
                it.text(503, "text/plain");
            }),
        Route::process("/metrics", Access::Token)
            .get("Strongroom/metrics/read", metrics)
            .documented(|it| it.text(200, "application/openmetrics-text")),
    ]
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok"
}

/// The store takes writes too.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    if readiness::is_ready(&app).await {
        "ok".into_response()
    } else {
        let why = "the store takes no writes";
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
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
    async fn a_server_whose_store_takes_no_writes_is_alive_and_not_ready() {
        let harness = Harness::new().await;
        harness.app.store.close().await;
        assert_eq!(harness.anonymous("GET", "/healthz").await.status, 200);
        assert_eq!(harness.anonymous("GET", "/readyz").await.status, 503);
    }

    #[tokio::test]
    async fn the_question_does_not_cost_a_write_each_time() {
        let harness = Harness::new().await;
        assert_eq!(harness.anonymous("GET", "/readyz").await.status, 200);
        harness.app.store.close().await;
        assert_eq!(harness.anonymous("GET", "/readyz").await.status, 200);
        harness.clock.advance(crate::app::limits::READINESS_AGE);
        assert_eq!(harness.anonymous("GET", "/readyz").await.status, 503);
    }

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
