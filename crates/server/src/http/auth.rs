//! Who asks: every route but the open probes needs `Authorization: Bearer …`.
//!
//! Contract: tokens are compared by their SHA-256 in constant time, and only the digest is stored.
//! A refusal is 401 with `WWW-Authenticate: Bearer`, and tells nothing about which routes exist.
//! Open are `/healthz` and `/readyz`, because the probes of a process supervisor carry no
//! credentials and the answers are one word; `/metrics` needs the token like everything else.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strongroom_core::error::{Code, Problem};
use subtle::ConstantTimeEq as _;

use super::error::respond;
use crate::app::App;
use crate::environment::Entropy;

/// Random bytes of a token: as many as its digest has, so that guessing is hopeless.
const TOKEN_BYTES: usize = 32;

/// Longest accepted `Authorization` header: what is longer is no token of ours, and tokens of
/// identity providers stay below it.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// As stored.
    #[must_use]
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Self::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    fn matches(self, token: &str) -> bool {
        Self::of(token).0.ct_eq(&self.0).into()
    }
}

/// A new token. The prefix lets secret scanners recognise one that was left somewhere.
#[must_use]
pub fn new_token(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; TOKEN_BYTES];
    entropy.fill(&mut bytes);
    format!("srm_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Who asks, once the token was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Name in `systemData` and in the log.
    pub(crate) name: &'static str,
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
    if token.is_empty() || !app.admin_token.matches(token) {
        return Err(Problem::new(
            Code::InvalidAuthenticationToken,
            "The access token is invalid: this server did not issue it, or it was replaced.",
        ));
    }
    Ok(Principal { name: "admin" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingEntropy;

    #[test]
    fn a_digest_is_stored_and_recognises_its_token_only() {
        let entropy = CountingEntropy::default();
        let (token, other) = (new_token(&entropy), new_token(&entropy));
        assert_ne!(token, other);
        let stored = TokenDigest::parse(&TokenDigest::of(&token).to_text()).unwrap();
        assert!(stored.matches(&token));
        assert!(!stored.matches(&other) && !stored.matches(""));
        assert!(!stored.to_text().contains(&token));
    }
}
