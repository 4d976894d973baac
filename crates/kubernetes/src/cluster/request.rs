//! One exchange with the API server: the paths, the request, and the bounded reading of the answer.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use strongroom_core::object::ResourceType;

use super::error::{self, ClusterError, Failure};
use super::{Cluster, transport};
use crate::access::Permission;
use crate::limits::{ERROR_BYTES, GLANCE_BYTES};

/// What stays as it is in a path segment: RFC 3986 `unreserved` and the colon, which RBAC names are
/// full of (`system:node`). All else is escaped: names of RBAC objects may hold any character but
/// `/` and `%` (`k8s.io/apimachinery/pkg/api/validation/path`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// A name as one path segment.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// The path of a collection (`name` absent) or an object, as in
/// `/apis/apps/v1/namespaces/shop/deployments/web`.
pub fn path_of(kind: &ResourceType, namespace: Option<&str>, name: Option<&str>) -> String {
    let mut path = if kind.group.is_empty() {
        format!("/api/{}", segment(&kind.version))
    } else {
        format!("/apis/{}/{}", segment(&kind.group), segment(&kind.version))
    };
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        path.push_str("/namespaces/");
        path.push_str(&segment(namespace));
    }
    path.push('/');
    path.push_str(&segment(&kind.plural));
    if let Some(name) = name {
        path.push('/');
        path.push_str(&segment(name));
    }
    path
}

/// A request without a body.
pub(crate) fn build(
    method: Method,
    path: &str,
    doing: &str,
) -> Result<Request<Vec<u8>>, ClusterError> {
    with_body(method, path, None, Vec::new(), doing)
}

/// A request with a body of the given media type.
pub(crate) fn with_body(
    method: Method,
    path: &str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    doing: &str,
) -> Result<Request<Vec<u8>>, ClusterError> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::ACCEPT, "application/json");
    if let Some(content_type) = content_type {
        builder = builder.header(http::header::CONTENT_TYPE, content_type);
    }
    builder.body(body).map_err(|error| {
        ClusterError::new(
            doing,
            Failure::Malformed {
                cause: format!("the request: {error}"),
            },
        )
    })
}

/// A good answer.
#[derive(Debug)]
pub struct Reply<B = Bytes> {
    /// 200, 201 or 202.
    pub status: StatusCode,
    /// The server's `Warning` headers, in its words.
    pub warnings: Vec<String>,
    /// The body.
    pub body: B,
}

impl Reply<BytesMut> {
    /// The same with a body that can be shared.
    pub(super) fn frozen(self) -> Reply {
        Reply {
            status: self.status,
            warnings: self.warnings,
            body: self.body.freeze(),
        }
    }
}

impl Reply {
    /// The body, parsed.
    pub fn json<T: serde::de::DeserializeOwned>(&self, doing: &str) -> Result<T, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let cause = format!("the answer is not the JSON that was asked for: {error}");
            ClusterError::new(doing, Failure::Malformed { cause })
        })
    }
}

/// What an answer is read into.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    /// A longer one is an error.
    pub(super) most_bytes: usize,
    /// Makes the room for it.
    pub(super) room: &'a (dyn Fn() -> BytesMut + Sync),
    /// Sees its first bytes, once.
    pub(super) glance: &'a (dyn Fn(&[u8]) + Sync),
}

/// Sends the request once and reads the answer.
pub(super) async fn exchange(
    cluster: &Cluster,
    request: Request<Bytes>,
    into: Destination<'_>,
) -> Result<Reply<BytesMut>, Failure> {
    let permission = Permission::of_request(request.method(), request.uri());
    let sent = cluster.client.send(request.map(Body::from)).await;
    let response = sent.map_err(|error| transport::classify(&error, &cluster.server))?;
    let (parts, body) = response.into_parts();
    if parts.status.is_success() {
        let body = read(body, into, &cluster.server).await?;
        return Ok(Reply {
            status: parts.status,
            warnings: warnings(&parts.headers),
            body,
        });
    }
    let brief = Destination {
        most_bytes: ERROR_BYTES,
        room: &BytesMut::new,
        glance: &|_| (),
    };
    let body = read(body, brief, &cluster.server).await.unwrap_or_default();
    Err(error::of_status(
        parts.status,
        retry_after(&parts.headers),
        &body,
        permission,
    ))
}

async fn read(mut body: Body, into: Destination<'_>, server: &str) -> Result<BytesMut, Failure> {
    let mut bytes = (into.room)();
    let mut glanced = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| transport::classify(&error, server))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > into.most_bytes {
                let limit = into.most_bytes;
                return Err(Failure::TooLarge { limit });
            }
            bytes.extend_from_slice(&data);
            if !glanced && bytes.len() >= GLANCE_BYTES {
                glanced = true;
                (into.glance)(&bytes);
            }
        }
    }
    Ok(bytes)
}

/// The seconds of a `Retry-After` header. Its date form is not used by API servers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The texts of `Warning: 299 - "text"` headers (RFC 7234, 5.5).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let texts = headers
        .get_all(http::header::WARNING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    texts
        .map(|value| match (value.find('"'), value.rfind('"')) {
            (Some(first), Some(last)) if first < last => {
                value[first + 1..last].replace("\\\"", "\"")
            }
            _ => value.to_owned(),
        })
        .collect()
}
