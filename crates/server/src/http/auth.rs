//! Who asks: every route but the open probes needs `Authorization: Bearer …`.
//!
//! Contract: a token is the administrator's, an access token that this server signed for a service
//! principal that still exists, or one of the identity provider that the server is told to believe. The administrator's are compared by their SHA-256 in constant time, and only
//! digests are stored; a token that was ours and ended has a code of its own. A refusal is 401 with
//! `WWW-Authenticate: Bearer`, and tells nothing about which routes exist. Open are `/healthz` and
//! `/readyz`, because the probes of a process supervisor carry no credentials and the answers are
//! one word; `/metrics` needs the token like everything else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::audit::note_caller;
use crate::app::admin_token::record::TokenDigest;
use crate::app::{App, Error, admin_token, service_principals, tokens};
use crate::identity_provider::{Group, IdentityProvider};
use crate::store::{Actor, ActorKind};

/// Longest accepted `Authorization` header: what is longer is no token of ours, and tokens of
/// identity providers stay below it.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The object id of the administrator, who is whoever holds the administrator's token.
const ADMIN_OBJECT_ID: Uuid = Uuid::from_u128(1);

/// Who asks, once the token was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Who it is, in `systemData` and in the log.
    pub(crate) actor: Actor,
    /// The groups that it is in.
    pub(crate) groups: Vec<Group>,
    /// Whether it is the administrator, who is owner of everything without an assignment that could be
    /// lost: whoever holds the administrator's token gets back in.
    pub(crate) is_administrator: bool,
    /// The administrator's token that was presented, for who replaces it.
    pub(crate) token: Option<TokenDigest>,
}

/// Lets a request with a valid token pass, and notes who it is.
pub(crate) async fn require_token(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    // Taken out first: a request cannot be held across the look at the store.
    let token = presented(&request).map(|token| Zeroizing::new(token.to_owned()));
    let authenticated = match token {
        Ok(token) => authenticate(&app, &token).await,
        Err(problem) => Err(problem.into()),
    };
    match authenticated {
        Ok(principal) => {
            note_caller(&principal.actor);
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Header with the tokens of others who stand behind a request, as Azure Resource Manager has it:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant>.
const AUXILIARY: &str = "x-ms-authorization-auxiliary";

/// Most tokens in it, as published.
const MAX_AUXILIARY: usize = 3;

/// Those whose tokens a request brings along, besides who asks.
pub(super) async fn auxiliary(app: &App, headers: &HeaderMap) -> Result<Vec<Principal>, Error> {
    let mut found = Vec::new();
    let given = headers.get_all(AUXILIARY).iter();
    let given = given.filter_map(|value| value.to_str().ok());
    let tokens = given
        .flat_map(|value| value.split([',', ';']))
        .map(str::trim);
    let tokens: Vec<&str> = tokens.filter(|token| !token.is_empty()).collect();
    for token in tokens {
        if found.len() == MAX_AUXILIARY || token.len() > MAX_HEADER_BYTES {
            let message =
                format!("{AUXILIARY} holds more than {MAX_AUXILIARY} tokens, or one that is none.");
            return Err(Problem::new(Code::AuthenticationFailed, message)
                .at(AUXILIARY)
                .into());
        }
        let token = match token.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => token,
        };
        let token = Zeroizing::new(token.to_owned());
        found.push(authenticate(app, &token).await?);
    }
    Ok(found)
}

async fn authenticate(app: &App, token: &str) -> Result<Principal, Error> {
    if tokens::has_the_form_of_one(token) {
        let provider = app.identity_provider.as_ref();
        return match provider.filter(|provider| provider.is_named_by(token)) {
            Some(provider) => person(app, provider, token).await,
            None => service_principal(app, token).await,
        };
    }
    let token = TokenDigest::of(token);
    match admin_token::refusal(app, token).await? {
        Some(problem) => Err(problem.into()),
        None => Ok(Principal {
            actor: Actor {
                object_id: ADMIN_OBJECT_ID,
                tenant_id: app.tenant_id,
                kind: ActorKind::Key,
                name: "admin".to_owned(),
            },
            groups: Vec::new(),
            is_administrator: true,
            token: Some(token),
        }),
    }
}

/// Who a token of the identity provider is for.
async fn person(app: &App, provider: &IdentityProvider, token: &str) -> Result<Principal, Error> {
    let person = provider.accept(token, app.now()).await?;
    Ok(Principal {
        actor: Actor {
            object_id: person.object_id,
            tenant_id: app.tenant_id,
            kind: ActorKind::User,
            name: person.name,
        },
        groups: person.groups,
        is_administrator: false,
        token: None,
    })
}

/// Who an access token of ours is for.
async fn service_principal(app: &App, token: &str) -> Result<Principal, Error> {
    let terms = tokens::Terms {
        server: &app.advertise_url,
        tenant: app.tenant_id,
        now: app.now(),
    };
    let claims = app.token_key.accept(terms, token)?;
    // Its token outlives a principal that is deleted, and one that is made anew under its client id is
    // another.
    let known = service_principals::known(app, claims.appid).await?;
    let known = known.filter(|known| known.object_id == claims.oid);
    let known = known.ok_or_else(|| {
        Problem::new(
            Code::InvalidAuthenticationToken,
            "The access token is invalid: its service principal does not exist any more.",
        )
    })?;
    Ok(Principal {
        actor: Actor {
            object_id: known.object_id,
            tenant_id: app.tenant_id,
            kind: ActorKind::Application,
            name: known.name,
        },
        groups: Vec::new(),
        is_administrator: false,
        token: None,
    })
}

/// The token of a request.
fn presented(request: &Request) -> Result<&str, Problem> {
    let refused = |message: &str| Problem::new(Code::AuthenticationFailed, message);
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let given = headers.next().ok_or_else(|| {
        refused(
            "Authentication failed. The 'Authorization' header is missing; send 'Bearer <token>'.",
        )
    })?;
    if headers.next().is_some() {
        return Err(refused(
            "Authentication failed. The request has several 'Authorization' headers.",
        ));
    }
    let scheme_and_token = given
        .to_str()
        .ok()
        .filter(|text| text.len() <= MAX_HEADER_BYTES)
        .and_then(|text| text.split_once(' '));
    match scheme_and_token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused(
            "Authentication failed. The 'Authorization' header is not of the form 'Bearer <token>'.",
        )),
    }
}
