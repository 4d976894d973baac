//! `GET /.well-known/oauth-protected-resource` (RFC 9728): whose tokens this server takes, and how somebody
//! without one gets it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::administration::{ProtectedResource, SignInWith};

use crate::app::App;
use crate::http::request::BaseUrl;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    BaseUrl(base): BaseUrl,
) -> Json<ProtectedResource> {
    let settings = app.identity_provider.as_ref().map(|known| &known.settings);
    let own = format!("{base}/{}/v2.0", app.tenant_id);
    let issuers = settings.map(|settings| settings.issuer.clone());
    Json(ProtectedResource {
        resource: base,
        authorization_servers: issuers.into_iter().chain([own]).collect(),
        bearer_methods_supported: vec!["header".to_owned()],
        strongroom_sign_in: settings.map(|settings| SignInWith {
            issuer: settings.issuer.clone(),
            client_id: settings.client_id().to_owned(),
            audience: settings.audience.clone(),
            scope: settings.scopes.clone(),
        }),
    })
}
