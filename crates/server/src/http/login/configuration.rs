//! `GET /{tenant}/v2.0/.well-known/openid-configuration`: where the rest is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{Tenant, other_tenant};
use crate::app::App;
use crate::http::request::BaseUrl;

/// All addresses are of the name by which the client reached this server: MSAL refuses an issuer of
/// another host than the authority that it was given.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    BaseUrl(base): BaseUrl,
) -> Response {
    if let Some(refused) = other_tenant(&app, &tenant) {
        return refused;
    }
    let at = format!("{base}/{}", app.tenant_id);
    Json(json!({
        "issuer": format!("{at}/v2.0"),
        "token_endpoint": format!("{at}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
        "jwks_uri": format!("{at}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": [".default"],
    }))
    .into_response()
}
