//! An identity provider of others, whose tokens let people in.
//!
//! Contract: a token is worth nothing unless it is the configured issuer's, its signature holds under a key
//! that the issuer publishes, by an algorithm that fits that key, and audience and times are right; nothing in
//! it is believed before. Keys are read when they are needed and no more often than the limits say, whatever is
//! presented. Sources: <https://openid.net/specs/openid-connect-discovery-1_0.html>, RFC 7519, RFC 8725.

mod discovery;
mod keys;
mod person;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use strongroom_core::error::{Code, Problem};

use crate::config::identity_provider::IdentityProviderSection;
pub use discovery::SetupError;
use discovery::Source;
use keys::{Keyring, Look};
pub use person::{Group, Person, group_id, subject_id};

/// Signatures that are believed: those of public keys. What both sides must know (HMAC) is none, and `none`
/// has no name in the library.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The provider.
#[derive(Debug)]
pub struct IdentityProvider {
    /// How it was configured.
    pub settings: IdentityProviderSection,
    source: Source,
    keys: RwLock<Arc<Keyring>>,
    /// Held by whoever asks for the keys: everybody else waits for the answer instead of asking too.
    asking: tokio::sync::Mutex<()>,
}

impl IdentityProvider {
    /// The provider of these settings; it is not asked before a token comes.
    ///
    /// # Errors
    /// When its authority's certificate cannot be used.
    pub fn new(settings: IdentityProviderSection) -> Result<Self, SetupError> {
        Ok(Self {
            source: Source::new(&settings)?,
            settings,
            keys: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// Whether a token says that it is this issuer's. Nothing else of it is believed yet.
    #[must_use]
    pub fn is_named_by(&self, token: &str) -> bool {
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Map<String, Value>>(token);
        claims.is_ok_and(|claims| {
            claims.get("iss").and_then(Value::as_str) == Some(&self.settings.issuer)
        })
    }

    /// Who a token is for, when all of it is to be believed.
    ///
    /// # Errors
    /// `InvalidAuthenticationToken` and `ExpiredAuthenticationToken` with what is wrong;
    /// `ServiceUnavailable` when the provider's keys cannot be had.
    pub async fn accept(&self, token: &str, now: Timestamp) -> Result<Person, Problem> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| invalid("its header names no algorithm that is known"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(invalid("it is not signed with a public key"));
        }
        let key = self.key(header.kid.as_deref(), header.alg, now).await?;
        let claims = signed_claims(token, &key, header.alg)?;
        person::of(&claims, &self.settings, now)
    }

    fn keys(&self) -> Arc<Keyring> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key of this id, asked for when it is not known or known for too long.
    async fn key(&self, id: Option<&str>, by: Algorithm, now: Timestamp) -> Result<Jwk, Problem> {
        if let Look::Found(key) = self.keys().look(id, by, now) {
            return Ok(key.clone());
        }
        let _turn = self.asking.lock().await;
        let known = self.keys();
        match known.look(id, by, now) {
            Look::Found(key) => return Ok(key.clone()),
            Look::Absent => return Err(invalid("its issuer has no key of that name")),
            Look::Silent => return Err(not_had("it did not answer a moment ago")),
            Look::Ask => {}
        }
        let asked = self.source.keys().await;
        let failed = asked.as_ref().err().map(ToString::to_string);
        let keys = match asked {
            Ok(keys) => Keyring::read(keys, now),
            Err(_) => known.not_answered(now),
        };
        let keys = Arc::new(keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        if let Some(error) = &failed {
            tracing::warn!(
                issuer = self.settings.issuer,
                error,
                "the keys of the identity provider were not read"
            );
        }
        match (keys.find(id, by, now), failed) {
            (Some(key), _) => Ok(key.clone()),
            (None, None) => Err(invalid("its issuer has no key of that name")),
            (None, Some(why)) => Err(not_had(&why)),
        }
    }
}

/// What a token says, when its signature holds.
fn signed_claims(
    token: &str,
    key: &Jwk,
    algorithm: Algorithm,
) -> Result<Map<String, Value>, Problem> {
    let forged = || invalid("its issuer did not sign it, or it was changed since");
    let mut how = Validation::new(algorithm);
    // Times, audience and issuer are judged by our own clock and words, in `person`.
    how.required_spec_claims.clear();
    how.validate_exp = false;
    how.validate_aud = false;
    let key = DecodingKey::from_jwk(key).map_err(|_| forged())?;
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &how);
    read.map(|token| token.claims).map_err(|_| forged())
}

fn not_had(why: &str) -> Problem {
    Problem::new(
        Code::ServiceUnavailable,
        format!("The keys of the identity provider cannot be had: {why}."),
    )
}

fn invalid(why: &str) -> Problem {
    Problem::new(
        Code::InvalidAuthenticationToken,
        format!("The access token is invalid: {why}."),
    )
}
