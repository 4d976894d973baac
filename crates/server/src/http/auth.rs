//! Who asks: every route but the open probes needs `Authorization: Bearer …`.
//!
//! Contract: tokens are compared by their SHA-256 in constant time, and only digests are stored; a
//! token that was ours and ended has a code of its own. A refusal is 401 with
//! `WWW-Authenticate: Bearer`, and tells nothing about which routes exist. Open are `/healthz` and
//! `/readyz`, because the probes of a process supervisor carry no credentials and the answers are
//! one word; `/metrics` needs the token like everything else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use strongroom_core::error::{Code, Problem};

use super::error::respond;
use crate::app::admin_token::record::TokenDigest;
use crate::app::{App, admin_token};

/// Longest accepted `Authorization` header: what is longer is no token of ours, and tokens of
/// identity providers stay below it.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Who asks, once the token was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Name in `systemData` and in the log.
    pub(crate) name: &'static str,
    /// Which token was presented, for who replaces it.
    pub(crate) token: TokenDigest,
}

/// Lets a request with a valid token pass, and notes who it is.
pub(crate) async fn require_token(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    match authenticate(&app, &request) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => respond(&problem),
    }
}

fn authenticate(app: &App, request: &Request) -> Result<Principal, Problem> {
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
    let token = match scheme_and_token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => {
            return Err(refused(
                "Authentication failed. The 'Authorization' header is not of the form 'Bearer <token>'.",
            ));
        }
    };
    let token = TokenDigest::of(token);
    match admin_token::refusal(app, token) {
        Some(problem) => Err(problem),
        None => Ok(Principal {
            name: "admin",
            token,
        }),
    }
}
