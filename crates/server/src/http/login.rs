//! *Where identity libraries sign in*: the token endpoint and what they read before it, with the addresses
//! and answers of Entra, so that `azure-identity` and MSAL work when this server is their authority.
//!
//! Open, because who signs in has no token yet. Sources:
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>, RFC 6749 (4.4, 5.2).

mod configuration;
mod keys;
mod protected_resource;
mod token;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use strongroom_api::administration::PROTECTED_RESOURCE;
use strongroom_core::error::Code;

use super::error::X_MS_ERROR_CODE;
use super::openapi::contract::{Described, Input};
use super::route::{Access, Route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/{tenant}/oauth2/v2.0/token", Access::Open)
            .post("Strongroom/login/token/action", token::handle)
            .documented(token::contract),
        Route::process("/{tenant}/oauth2/token", Access::Open)
            .post("Strongroom/login/token/action", token::handle)
            .documented(token::contract),
        Route::process(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            Access::Open,
        )
        .get("Strongroom/login/configuration/read", configuration::handle)
        .documented(of_tenant),
        Route::process("/{tenant}/discovery/v2.0/keys", Access::Open)
            .get("Strongroom/login/keys/read", keys::handle)
            .documented(of_tenant),
        Route::process(PROTECTED_RESOURCE, Access::Open).get(
            "Strongroom/login/protectedResource/read",
            protected_resource::handle,
        ),
    ]
}

/// A refusal as OAuth 2.0 has it (RFC 6749, 5.2), with Entra's additions.
#[derive(Serialize, JsonSchema)]
struct OAuthError<'a> {
    /// One of the words of OAuth 2.0.
    error: &'a str,
    /// Entra's number, and why.
    error_description: String,
    /// Entra's number.
    error_codes: [u32; 1],
}

/// A document of the tenant that this server is.
fn of_tenant(it: &mut Described<'_>) {
    it.refuses_in_its_own_way();
    it.json::<Value>(200);
    it.json::<OAuthError<'_>>(400);
}

/// A refusal as OAuth 2.0 has it, with Entra's number for it.
fn refused(status: StatusCode, error: &str, number: u32, why: &str) -> Response {
    let body = OAuthError {
        error,
        error_description: format!("AADSTS{number}: {why}"),
        error_codes: [number],
    };
    // For our own clients, which know the code and its page.
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::AuthenticationFailed,
        StatusCode::TOO_MANY_REQUESTS => Code::TooManyRequests,
        _ => Code::InvalidRequestContent,
    };
    let code = [(X_MS_ERROR_CODE, HeaderValue::from_static(code.as_str()))];
    (status, code, Json(body)).into_response()
}

/// The refusal of another tenant than the one that this server is.
fn other_tenant(app: &App, tenant: &str) -> Option<Response> {
    let is_ours = tenant.eq_ignore_ascii_case(&app.tenant_id.to_string());
    (!is_ours).then(|| no_tenant(tenant))
}

fn no_tenant(tenant: &str) -> Response {
    let shown: String = tenant.chars().take(64).collect();
    let why =
        format!("Tenant '{shown}' not found. Check to make sure you have the correct tenant ID.");
    refused(StatusCode::BAD_REQUEST, "invalid_request", 90002, &why)
}

/// The tenant that an address names; what is no text is none.
struct Tenant(String);

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(tenant)) => Ok(Self(tenant)),
            Err(_) => Err(no_tenant("")),
        }
    }
}

impl Input for Tenant {}
