//! An API server in memory, for this crate's own tests: a closure answers each request, and what was
//! asked is kept.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Retries, Timeouts};

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) body: Value,
}

impl Asked {
    /// As in `GET /version`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The decoded value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}=");
        let value = self
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&prefix))?;
        Some(
            percent_encoding::percent_decode_str(value)
                .decode_utf8_lossy()
                .into_owned(),
        )
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Answer {
    pub(crate) fn ok(body: &Value) -> Self {
        Self::raw(200, body.to_string())
    }

    pub(crate) fn raw(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A `metav1.Status` as API servers send it.
    pub(crate) fn failed(code: u16, reason: &str, message: &str) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        Self::raw(code, status.to_string())
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What was asked so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Asked> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.all().iter().map(Asked::line).collect()
    }
}

/// Retries without waiting.
pub(crate) const IMPATIENT: Retries = Retries {
    times: 3,
    first: Duration::ZERO,
    longest: Duration::from_millis(1),
};

/// A cluster whose API server is `answer`.
pub(crate) fn cluster(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Cluster, Log) {
    let log = Log::default();
    let kept = log.clone();
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (kept, answer) = (kept.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let accept = parts.headers.get(http::header::ACCEPT);
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                accept: accept
                    .map(|one| one.to_str().unwrap().to_owned())
                    .unwrap_or_default(),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            };
            kept.0.lock().unwrap().push(asked.clone());
            let answer = answer(&asked);
            let mut response = Response::builder().status(StatusCode::from_u16(answer.status)?);
            for (name, value) in &answer.headers {
                response = response.header(*name, value);
            }
            Ok::<_, tower::BoxError>(response.body(Full::new(answer.body))?)
        }
    });
    let client = kube::Client::new(service, "default");
    let timeouts = Timeouts {
        connect: Duration::from_secs(5),
        request: Duration::from_secs(5),
    };
    (Cluster::from_client(client, timeouts, IMPATIENT), log)
}

/// A custom resource definition's YAML folder, `deploy/crds` of the workspace.
pub(crate) fn crd_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds")
}
