//! `POST /{tenant}/oauth2/v2.0/token` (with `scope=…/.default`) and `POST /{tenant}/oauth2/token` (with
//! `resource=…`): a client secret for an access token.
//!
//! A wrong client and a wrong secret are told apart, as Entra does it: client ids are no secret, and whoever
//! set one up wrongly must learn which of the two it is.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{OAuthError, Tenant, other_tenant, refused};
use crate::app::service_principals::{self, Known, SignIn};
use crate::app::tokens::{self, Terms};
use crate::app::{App, Error, Result};
use crate::http::audit::note_caller;
use crate::http::limits::MAX_SIGN_IN_BYTES;
use crate::http::openapi::contract::Described;
use crate::http::request::{BaseUrl, Peer};
use crate::store::{Actor, ActorKind};

/// The names that Azure's own clients have for what this server is, when nobody told them another.
const AZURE: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// What is asked for.
struct Asked {
    grant: String,
    client: String,
    secret: Zeroizing<String>,
    /// The resource, of `scope` or of `resource`; none when a scope is no `…/.default`.
    audience: Option<String>,
    /// Whether it was asked for in the older form, whose answer has numbers as text.
    is_v1: bool,
}

impl Asked {
    fn read(body: &[u8]) -> Self {
        let mut asked = Self {
            grant: String::new(),
            client: String::new(),
            secret: Zeroizing::default(),
            audience: None,
            is_v1: false,
        };
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "grant_type" => asked.grant = value.into_owned(),
                "client_id" => asked.client = value.into_owned(),
                "client_secret" => asked.secret = Zeroizing::new(value.into_owned()),
                "resource" => {
                    asked.audience = Some(plain(&value));
                    asked.is_v1 = true;
                }
                "scope" if !asked.is_v1 => {
                    asked.audience = value.strip_suffix("/.default").map(plain);
                }
                _ => {}
            }
        }
        asked
    }
}

/// A resource without the slashes that clients put at its end.
fn plain(resource: &str) -> String {
    resource.trim_end_matches('/').to_owned()
}

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    BaseUrl(base): BaseUrl,
    Peer(peer): Peer,
    body: Body,
) -> Result<Response> {
    if let Some(refused) = other_tenant(&app, &tenant) {
        return Ok(refused);
    }
    let Ok(body) = to_bytes(body, MAX_SIGN_IN_BYTES).await else {
        let why = "The request body is too large.";
        return Ok(refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            90015,
            why,
        ));
    };
    let asked = Asked::read(&body);
    if let Some(refused) = malformed(&asked, &app, &base) {
        return Ok(refused);
    }
    let client = uuid::Uuid::parse_str(&asked.client).ok();
    if let Some(seconds) = app.failed_sign_ins.wait(client, peer, app.now()) {
        tracing::info!(client.id = %shown(&asked.client), "a sign-in was put off: too many failed");
        return Ok(put_off(seconds));
    }
    let signed_in = service_principals::sign_in(&app, &asked.client, &asked.secret).await?;
    let is_known = !matches!(signed_in, SignIn::NoSuchClient);
    let (status, error, number, why) = match signed_in {
        SignIn::Known(known) => {
            note_caller(&Actor {
                object_id: known.object_id,
                tenant_id: app.tenant_id,
                kind: ActorKind::Application,
                name: known.name.clone(),
            });
            return granted(&app, &asked, &known);
        }
        SignIn::NoSuchClient => (
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            "Application with that client id was not found in the directory.".to_owned(),
        ),
        SignIn::WrongSecret => (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.".to_owned(),
        ),
        SignIn::Expired(since) => (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_222,
            format!("The provided client secret keys are expired since {since:.0}."),
        ),
    };
    // Who asks for a client that there is not is counted by address alone: there is no end of such ids.
    app.failed_sign_ins
        .note(client.filter(|_| is_known), peer, app.now());
    tracing::info!(client.id = %shown(&asked.client), reason = why, "a sign-in was refused");
    Ok(refused(status, error, number, &why))
}

/// The refusal of whoever failed too often: 429, as Entra throttles.
fn put_off(seconds: u64) -> Response {
    let why = "Too many sign-ins failed; try again later.";
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut refused = refused(status, "temporarily_unavailable", 90055, why);
    refused
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    refused
}

/// What the endpoint takes and answers, for the document.
pub(super) fn contract(it: &mut Described<'_>) {
    let text = json!({ "type": "string" });
    it.reads_form(&json!({
        "type": "object",
        "properties": {
            "grant_type": { "const": "client_credentials" },
            "client_id": text, "client_secret": text, "scope": text, "resource": text,
        },
        "required": ["grant_type", "client_id", "client_secret"],
    }));
    it.refuses_in_its_own_way();
    it.json::<serde_json::Value>(200);
    it.json::<OAuthError<'_>>(400);
    it.json::<OAuthError<'_>>(401);
    it.json::<OAuthError<'_>>(429);
}

/// A client id for the log: what is no GUID is somebody's mistake, which may be their secret.
fn shown(client: &str) -> String {
    client
        .parse::<uuid::Uuid>()
        .map_or_else(|_| "no GUID".to_owned(), |id| id.to_string())
}

/// The refusal of what is no request for a token that can be given.
fn malformed(asked: &Asked, app: &App, base: &str) -> Option<Response> {
    let bad = StatusCode::BAD_REQUEST;
    if asked.grant != "client_credentials" {
        let why = "The app requested an unsupported grant type; use client_credentials.";
        return Some(refused(bad, "unsupported_grant_type", 70003, why));
    }
    if asked.client.is_empty() || asked.secret.is_empty() {
        let why = "The request body must contain the parameters 'client_id' and 'client_secret'.";
        return Some(refused(bad, "invalid_request", 900_144, why));
    }
    let own = app.advertise_url.as_str().trim_end_matches('/');
    match asked.audience.as_deref() {
        Some(audience) if audience == own || audience == base || AZURE.contains(&audience) => None,
        Some(_) => {
            let why = "The resource principal was not found in the tenant; ask for this server's address.";
            Some(refused(bad, "invalid_resource", 500_011, why))
        }
        None => {
            let why = "The provided value for scope is not valid; it is a resource followed by '/.default'.";
            Some(refused(bad, "invalid_scope", 70011, why))
        }
    }
}

fn granted(app: &App, asked: &Asked, known: &Known) -> Result<Response> {
    let terms = Terms {
        server: &app.advertise_url,
        tenant: app.tenant_id,
        now: app.now(),
    };
    let token = app
        .token_key
        .issue(terms, known.app_id, known.object_id)
        .map_err(Error::unexpected("sign an access token"))?;
    tracing::info!(client.id = %known.app_id, client.name = known.name, "a service principal signed in");
    let lifetime = tokens::lifetime().as_secs();
    let answer = if asked.is_v1 {
        let from = app.now().as_second();
        let until = from + i64::try_from(lifetime).unwrap_or_default();
        json!({
            "token_type": "Bearer", "access_token": token, "resource": asked.audience,
            "expires_in": lifetime.to_string(), "ext_expires_in": lifetime.to_string(),
            "expires_on": until.to_string(), "not_before": from.to_string(),
        })
    } else {
        json!({
            "token_type": "Bearer", "access_token": token,
            "expires_in": lifetime, "ext_expires_in": lifetime,
        })
    };
    let not_kept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((not_kept, Json(answer)).into_response())
}

#[cfg(test)]
mod tests;
