//! What handlers take out of a request: the resource it names, its body, its terms.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use strongroom_api::decode::decode;
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::auth::{Principal, auxiliary};
use super::limits::{MAX_BODY_BYTES, MAX_JSON_DEPTH};
use super::pagination::parameter;
use super::permit::Authority;
use crate::app::guards::Rights;
use crate::app::resources::Terms;
use crate::app::{App, Error, ResourceId, role_assignments};

/// What a segment of an address may be, as a regular expression: see [`Target`].
pub(crate) const SEGMENT: &str = r"^[^/\u0000-\u001f\u007f-\u009f]+$";

/// The resource that the address names, in its published spelling.
#[derive(Debug, Clone)]
pub(crate) struct Target(pub(crate) ResourceId);

impl FromRequestParts<Arc<App>> for Target {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        let mut decoded = String::with_capacity(parts.uri.path().len());
        for segment in parts.uri.path().split('/').skip(1) {
            let segment = percent_decode_str(segment)
                .decode_utf8()
                .ok()
                // A slash inside a name would make another id of it.
                .filter(|segment| {
                    !segment.is_empty() && !segment.chars().any(|c| c == '/' || c.is_control())
                })
                .ok_or_else(|| {
                    Problem::new(
                        Code::InvalidResourceId,
                        "The address holds an empty segment, an encoded slash or a control character.",
                    )
                })?;
            decoded.push('/');
            decoded.push_str(&segment);
        }
        Ok(Self(ResourceId::published(decoded)))
    }
}

/// A JSON body of type `T`: size, type and nesting are checked before it is understood.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Err(Problem::new(
                Code::InvalidRequestContent,
                "The request content is empty; this operation needs a JSON body.",
            )
            .into());
        }
        Ok(Self(understand(&bytes)?))
    }
}

/// As [`JsonBody`], of an operation whose body may be left out: older versions of the contract have none.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for OptionalJsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.trim_ascii().is_empty() || bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        Ok(Self(Some(understand(&bytes)?)))
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Error> {
    let too_large = || {
        Problem::new(
            Code::RequestEntityTooLarge,
            format!("The request content is larger than {MAX_BODY_BYTES} bytes."),
        )
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large().into());
    }
    let bytes = Limited::new(body, MAX_BODY_BYTES)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                too_large()
            } else {
                Problem::new(
                    Code::InvalidRequestContent,
                    "The request content could not be read to its end.",
                )
            }
        })?
        .to_bytes();
    if !bytes.is_empty() && !is_json(headers) {
        return Err(Problem::new(
            Code::InvalidContentType,
            "The request content must be JSON: send 'Content-Type: application/json'.",
        )
        .at("Content-Type")
        .into());
    }
    Ok(bytes.to_vec())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn understand<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if depth(bytes) > MAX_JSON_DEPTH {
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!("The request content is nested deeper than {MAX_JSON_DEPTH} levels."),
        )
        .into());
    }
    decode(bytes).map_err(|invalid| {
        let code = if invalid.message.contains("objectType") {
            Code::UnknownObjectType
        } else {
            Code::InvalidRequestContent
        };
        let problem = Problem::new(
            code,
            format!(
                "The request content was invalid and could not be deserialized: '{}'.",
                invalid.message
            ),
        );
        Error::from(if invalid.target.is_empty() {
            problem
        } else {
            problem.at(invalid.target)
        })
    })
}

/// How deep the brackets of a JSON text nest; one pass, without recursion.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl FromRequestParts<Arc<App>> for Terms {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let rights = rights(parts, app).await?;
        let text = |name: header::HeaderName| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let principal = parts.extensions.get::<Principal>().ok_or_else(|| {
            Problem::new(Code::AuthenticationFailed, "Nobody is known to ask this.")
        })?;
        Ok(Self {
            by: principal.actor.clone(),
            if_match: text(header::IF_MATCH),
            if_none_match: text(header::IF_NONE_MATCH),
            rights,
        })
    }
}

/// What who asks may do, and each of those whose tokens the request brings along.
async fn rights(parts: &Parts, app: &App) -> Result<Vec<Rights>, Error> {
    let mut rights: Vec<Rights> = parts
        .extensions
        .get::<Authority>()
        .map(Authority::rights)
        .into_iter()
        .collect();
    for principal in auxiliary(app, &parts.headers).await? {
        let id = principal.actor.object_id;
        let groups = principal.groups.iter().map(|group| group.object_id);
        let groups: Vec<Uuid> = groups.collect();
        let held = role_assignments::held_by(app, id, &groups).await?;
        rights.push(Rights {
            holder: principal.actor,
            is_administrator: principal.is_administrator,
            assignments: held.into(),
        });
    }
    Ok(rights)
}

/// Where the caller reached this server, without a slash at the end: what absolute addresses in
/// answers begin with.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let authority = match parts.uri.authority() {
            Some(authority) => Some(authority.clone()),
            None => parts
                .headers
                .get(header::HOST)
                .and_then(|value| value.to_str().ok())
                .and_then(|host| host.parse().ok()),
        };
        Ok(Self(match authority {
            Some(authority) => format!("https://{authority}"),
            None => app.advertise_url.as_str().trim_end_matches('/').to_owned(),
        }))
    }
}

/// The address that the connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

impl FromRequestParts<Arc<App>> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map(|peer| peer.0.ip())))
    }
}

/// The group or subscription whose collection an address of a provider names.
pub(crate) fn scope_of(collection: &ResourceId) -> ResourceId {
    collection
        .resource_group()
        .unwrap_or_else(|| collection.subscription())
}

/// Whether a DELETE is to be carried out although something needs what it deletes.
pub(crate) fn is_forced(uri: &Uri) -> bool {
    parameter(uri.query().unwrap_or_default(), "forceDelete")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Status of a PUT that is done.
pub(crate) fn written(created: bool) -> StatusCode {
    if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

/// Status of a DELETE that is done.
pub(crate) fn deleted(was_there: bool) -> StatusCode {
    if was_there {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert_eq!(depth(br#"{"a":[{"b":"[[[\"[[["}]}"#), 3);
        assert_eq!(depth(b""), 0);
        assert_eq!(depth("[".repeat(10_000).as_bytes()), 10_000);
    }
}
