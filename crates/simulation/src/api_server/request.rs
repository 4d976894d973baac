//! From an HTTP request to a verb on a kind, and back to an HTTP answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::state::Kind;
use super::{Behind, Refusal, Shared, discovery, verbs, watch};

/// What a path means.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Answers one request.
pub(crate) async fn serve(
    Extract(shared): Extract<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let whole = uri
        .path_and_query()
        .map_or_else(|| uri.path().to_owned(), ToString::to_string);
    shared.record(method.as_str(), &whole);
    if let Some(fault) = shared.fault(method.as_str(), &whole) {
        if fault.status == 0 {
            shared.hung.notify_one();
            std::future::pending::<()>().await;
        }
        let status =
            StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return refuse(status, &fault.reason, &fault.message);
    }
    if let Some(refused) = aggregated(&shared, uri.path()) {
        return refused;
    }
    if let Some(found) = discovery::answer(&shared, uri.path(), &headers) {
        return answer(StatusCode::OK, &found);
    }
    let query = parse_query(uri.query().unwrap_or_default());
    let Some(target) = parse_path(&shared, uri.path()) else {
        if uri.path().ends_with("/selfsubjectaccessreviews") {
            return answer(StatusCode::CREATED, &allow(&body));
        }
        return refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the server could not find the requested resource",
        );
    };
    let body = mutated(&shared, &method, &whole, body);
    let outcome = act(&shared, &method, &target, &query, &headers, &body);
    if let Some(lost) = shared.lost(method.as_str(), &whole) {
        let status = StatusCode::from_u16(lost.status).unwrap_or(StatusCode::GATEWAY_TIMEOUT);
        return refuse(status, &lost.reason, &lost.message);
    }
    match outcome {
        Ok(response) => response,
        Err(refusal) => refuse(refusal.status, refusal.reason, &refusal.message),
    }
}

/// The answer to a request of an aggregated API that is not there or does not answer.
fn aggregated(shared: &Shared, path: &str) -> Option<Response> {
    let mut parts = path.trim_matches('/').split('/');
    let (root, group, version) = (parts.next()?, parts.next()?, parts.next()?);
    if root != "apis" {
        return None;
    }
    match shared.behind(group, version) {
        Behind::Answers => None,
        Behind::Unknown => Some(refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the server could not find the requested resource",
        )),
        Behind::Down => Some(refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "service unavailable",
        )),
    }
}

/// The body as admission leaves it.
fn mutated(shared: &Shared, method: &Method, path: &str, body: Bytes) -> Bytes {
    if *method != Method::POST && *method != Method::PATCH {
        return body;
    }
    let Ok(mut object) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    shared.mutate(path, &mut object);
    serde_json::to_vec(&object).map_or(body, Bytes::from)
}

fn act(
    shared: &Arc<Shared>,
    method: &Method,
    target: &Target,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    let manager = query.get("fieldManager").map_or("unknown", String::as_str);
    match (method.as_str(), &target.name) {
        ("GET", _)
            if query
                .get("watch")
                .is_some_and(|watch| watch == "true" || watch == "1") =>
        {
            Ok(watch::open(shared, target, query))
        }
        ("GET", Some(_)) => Ok(answer(StatusCode::OK, &verbs::get(shared, target)?)),
        ("GET", None) => Ok(answer(StatusCode::OK, &verbs::list(shared, target, query)?)),
        ("POST", None) => {
            if query.get("dryRun").is_some_and(|dry| dry == "All") {
                let tried = verbs::try_create(shared, target, parse(body)?)?;
                return Ok(answer(StatusCode::CREATED, &tried));
            }
            let stored = verbs::create(shared, target, parse(body)?, manager)?;
            Ok(answer(StatusCode::CREATED, &stored))
        }
        ("PUT", Some(_)) => {
            let stored = verbs::replace(shared, target, parse(body)?, manager)?;
            Ok(answer(StatusCode::OK, &stored))
        }
        ("PATCH", Some(_)) => {
            let content_type = headers
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let (status, stored) =
                verbs::patch(shared, target, parse(body)?, content_type, manager)?;
            Ok(answer(status, &stored))
        }
        ("DELETE", Some(_)) => Ok(answer(StatusCode::OK, &verbs::delete(shared, target)?)),
        _ => Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

/// `/api/v1/namespaces/shop/configmaps/web/status` and its like.
fn parse_path(shared: &Shared, path: &str) -> Option<Target> {
    let mut parts = path.trim_matches('/').split('/').map(decode);
    let (group, version) = match parts.next()?.as_str() {
        "api" => (String::new(), parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    let rest: Vec<String> = parts.collect();
    let state = shared.state();
    let find = |plural: &str| state.kind(&group, &version, plural);
    // `namespaces/<name>/<plural>` is an object in a namespace unless the third part is a
    // subresource of the namespace itself.
    if rest.len() >= 3
        && rest[0] == "namespaces"
        && let Some(kind) = find(&rest[2])
    {
        return Some(Target {
            kind,
            namespace: Some(rest[1].clone()),
            name: rest.get(3).cloned(),
            subresource: rest.get(4).cloned(),
        });
    }
    Some(Target {
        kind: find(rest.first()?)?,
        namespace: None,
        name: rest.get(1).cloned(),
        subresource: rest.get(2).cloned(),
    })
}

fn parse_query(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Percent-decoding; `+` is a space in queries.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (hex, byte) {
            (Some(value), _) => {
                decoded.push(value);
                at += 3;
                continue;
            }
            (None, b'+') => decoded.push(b' '),
            (None, other) => decoded.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("the body is not JSON: {error}"),
        )
    })
}

/// Every access review is answered with yes.
fn allow(body: &[u8]) -> Value {
    let mut review: Value = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
    review["status"] = json!({"allowed": true});
    review
}

pub(crate) fn answer(status: StatusCode, value: &Value) -> Response {
    (
        status,
        [("content-type", "application/json")],
        Body::from(value.to_string()),
    )
        .into_response()
}

fn refuse(status: StatusCode, reason: &str, message: &str) -> Response {
    answer(
        status,
        &json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": status.as_u16(),
        }),
    )
}
