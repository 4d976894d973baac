//! The outermost layer: ids of a request, its line in the log, its counters, its time limit, and
//! what a panic becomes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use strongroom_core::error::{Code, Problem};
use tracing::Instrument as _;

use super::error::{X_MS_ERROR_CODE, respond};
use super::limits::MAX_URI_BYTES;
use crate::app::App;
use crate::metrics::RequestLabels;

const X_MS_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const X_MS_CORRELATION_REQUEST_ID: HeaderName =
    HeaderName::from_static("x-ms-correlation-request-id");
const X_MS_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

/// Longest id of a client that is given back.
const MAX_CLIENT_ID_BYTES: usize = 100;

/// The ids of a request, for the layers inside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// `x-ms-request-id`.
    pub(crate) request: String,
    /// `x-ms-correlation-request-id`.
    pub(crate) correlation: String,
}

/// What the layer needs.
#[derive(Clone)]
pub(crate) struct Correlation {
    pub(crate) app: Arc<App>,
    pub(crate) limit: Duration,
}

/// Runs a request with ids, a log line, counters and a time limit.
pub(crate) async fn correlate(
    State(correlation): State<Correlation>,
    mut request: Request,
    next: Next,
) -> Response {
    let app = &correlation.app;
    let began = app.now();
    let request_id = app.new_id().to_string();
    let correlation_id = given_id(&request, &X_MS_CORRELATION_REQUEST_ID);
    let client_id = given_id(&request, &X_MS_CLIENT_REQUEST_ID);
    let chosen = correlation_id.as_ref().and_then(|id| id.to_str().ok());
    request.extensions_mut().insert(Ids {
        request: request_id.clone(),
        correlation: chosen.unwrap_or(&request_id).to_owned(),
    });
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request.id = %request_id);

    let too_long = request
        .uri()
        .path_and_query()
        .is_some_and(|text| text.as_str().len() > MAX_URI_BYTES);
    let mut response = if too_long {
        respond(&Problem::new(
            Code::InvalidResourceId,
            format!("The address is longer than {MAX_URI_BYTES} bytes."),
        ))
    } else {
        run(next, request, correlation.limit)
            .instrument(span.clone())
            .await
    };

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(X_MS_REQUEST_ID, value.clone());
        headers.insert(X_MS_CORRELATION_REQUEST_ID, correlation_id.unwrap_or(value));
    }
    if let Some(value) = client_id {
        headers.insert(X_MS_CLIENT_REQUEST_ID, value);
    }
    let code = response
        .headers()
        .get(X_MS_ERROR_CODE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let took = app.now().duration_since(began);
    let status = response.status().as_u16();
    let _entered = span.enter();
    tracing::debug!(
        http.method = %method, http.path = path, http.status = status, error.code = code,
        took_ms = took.as_millis(), "answered"
    );
    app.metrics
        .requests
        .get_or_create(&RequestLabels {
            method: label(&method).to_owned(),
            status: status.to_string(),
            code,
        })
        .inc();
    app.metrics.request_seconds.observe(took.as_secs_f64());
    response
}

/// An id that the client chose, if it has a decent length.
fn given_id(request: &Request, name: &HeaderName) -> Option<HeaderValue> {
    request
        .headers()
        .get(name)
        .filter(|value| value.len() <= MAX_CLIENT_ID_BYTES)
        .cloned()
}

/// The label of a method: unknown ones share one, so that callers cannot make series.
fn label(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::PUT
        | Method::PATCH
        | Method::POST
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// Runs the rest in a task of its own: it ends by itself even when the caller hangs up in the
/// middle (a use case is never cut between two of its steps), and a panic in it stays in it.
async fn run(next: Next, request: Request, limit: Duration) -> Response {
    let task = tokio::spawn(next.run(request).in_current_span());
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => {
            tracing::error!(error = %failure, "a request handler panicked");
            respond(&Problem::new(
                Code::InternalServerError,
                "The server failed to carry out the request; its log has the cause under the id in \
                 x-ms-request-id.",
            ))
        }
        Err(_) => respond(&Problem::new(
            Code::ServiceUnavailable,
            format!("The request took longer than {} seconds.", limit.as_secs()),
        )),
    }
}
