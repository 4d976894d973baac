//! Access tokens that this server issues to service principals, and what a presented one is worth.
//!
//! Contract: a token is a JWT (RFC 7519) signed with ES256 under a key of this server, for the hour that
//! Entra's live too, with Entra's names for what it says (`tid`, `oid`, `appid`, `aud`, `iss`). A presented
//! one is worth nothing unless its header names that algorithm and that key, its signature holds, and
//! issuer, tenant, audience and times are ours; the signature is checked before anything in it is believed.
//! There is one algorithm, so that no header can choose `none` or a key of another kind
//! (RFC 8725, 3.1 and 3.2). Claims: <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_core::error::{Code, Problem};
use url::Url;
use uuid::Uuid;

use super::limits::{ACCESS_TOKEN_LIFETIME, CLOCK_SKEW};
use crate::data_dir::{DataDirError, read_private, write_private};

/// The only algorithm.
const ALGORITHM: &str = "ES256";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// Its file.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Its file holds something else.
    #[error("the file holds no key to sign tokens with; delete it to have a new one made")]
    NotAKey,
    /// It could not be made.
    #[error("a key to sign tokens with could not be made")]
    NotMade,
}

/// What the server signs tokens with.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    id: String,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.id)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For whom it is: this server.
    pub aud: String,
    /// Who issued it: this server and its tenant.
    pub iss: String,
    /// When, in seconds since 1970.
    pub iat: i64,
    /// Not to be taken before.
    pub nbf: i64,
    /// Nor from then on.
    pub exp: i64,
    /// The client's id.
    pub appid: Uuid,
    /// The principal's object id.
    pub oid: Uuid,
    /// Again, as the standard's name for it.
    pub sub: Uuid,
    /// The tenant.
    pub tid: Uuid,
    /// What the subject is: always `app`.
    pub idtyp: String,
    /// The version of this form.
    pub ver: String,
}

/// What is signed with a key, and believed of what is presented.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Where this server is reached.
    pub server: &'a Url,
    /// Its tenant.
    pub tenant: Uuid,
    /// The present moment.
    pub now: Timestamp,
}

impl Terms<'_> {
    /// The audience of every token: the server itself, whatever name of it a client asked for.
    fn audience(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }

    fn issuer(&self) -> String {
        format!("{}/{}/v2.0", self.audience(), self.tenant)
    }
}

impl TokenKey {
    /// Reads the key, or makes one where there is none: deleting the file is how it is rotated, and ends
    /// the tokens of the last hour.
    pub fn open(file: &Path) -> Result<Self, SigningKeyError> {
        if let Some(bytes) = read_private(file)? {
            return Self::of_pkcs8(&zeroize::Zeroizing::new(bytes));
        }
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| SigningKeyError::NotMade)?;
        write_private(file, made.as_ref())?;
        Self::of_pkcs8(made.as_ref())
    }

    fn of_pkcs8(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes)
            .map_err(|_| SigningKeyError::NotAKey)?;
        let digest = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let id = URL_SAFE_NO_PAD.encode(digest.as_ref());
        Ok(Self { pair, id })
    }

    /// The public half as a JSON Web Key Set (RFC 7517): an uncompressed point is `04`, x, y.
    #[must_use]
    pub fn published(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let x = point.get(1..33).unwrap_or_default();
        let y = point.get(33..).unwrap_or_default();
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": ALGORITHM, "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]})
    }

    /// A token for a principal.
    pub fn issue(
        &self,
        terms: Terms<'_>,
        appid: Uuid,
        oid: Uuid,
    ) -> Result<String, SigningKeyError> {
        let now = terms.now.as_second();
        let lifetime = i64::try_from(ACCESS_TOKEN_LIFETIME.as_secs()).unwrap_or_default();
        self.sign(&Claims {
            aud: terms.audience(),
            iss: terms.issuer(),
            iat: now,
            nbf: now,
            exp: now + lifetime,
            appid,
            oid,
            sub: oid,
            tid: terms.tenant,
            idtyp: "app".to_owned(),
            ver: "2.0".to_owned(),
        })
    }

    fn sign(&self, claims: &Claims) -> Result<String, SigningKeyError> {
        let header = Header {
            typ: "JWT".to_owned(),
            alg: ALGORITHM.to_owned(),
            kid: self.id.clone(),
        };
        let part = |text: serde_json::Result<String>| text.map(|text| URL_SAFE_NO_PAD.encode(text));
        let signed = part(serde_json::to_string(&header))
            .and_then(|header| Ok((header, part(serde_json::to_string(claims))?)))
            .map(|(header, claims)| format!("{header}.{claims}"))
            .map_err(|_| SigningKeyError::NotMade)?;
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| SigningKeyError::NotMade)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What a presented token says, when all of it is to be believed.
    pub fn accept(&self, terms: Terms<'_>, token: &str) -> Result<Claims, Problem> {
        let claims = self
            .signed_claims(token)
            .ok_or_else(|| invalid("this server did not sign it, or it was changed since"))?;
        if claims.tid != terms.tenant {
            return Err(invalid("it is for another tenant"));
        }
        if claims.iss != terms.issuer() {
            return Err(invalid("it has another issuer"));
        }
        if claims.aud != terms.audience() {
            return Err(invalid("it is for another audience"));
        }
        let now = terms.now.as_second();
        let skew = i64::try_from(CLOCK_SKEW.as_secs()).unwrap_or_default();
        if claims.nbf > now + skew {
            return Err(invalid("its time has not come yet"));
        }
        if claims.exp + skew <= now {
            let since = Timestamp::from_second(claims.exp).unwrap_or(terms.now);
            return Err(Problem::new(
                Code::ExpiredAuthenticationToken,
                format!("The access token is not valid since {since}: it reached its lifetime."),
            ));
        }
        Ok(claims)
    }

    /// What a token says, when it is one and the signature holds.
    fn signed_claims(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != ALGORITHM || header.kid != self.id {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?)
            .ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

/// How long a token is good for.
#[must_use]
pub fn lifetime() -> Duration {
    ACCESS_TOKEN_LIFETIME
}

/// Whether what was presented has the form of a JWT, and not of the administrator's token.
#[must_use]
pub fn has_the_form_of_one(token: &str) -> bool {
    token.matches('.').count() == 2
}

fn invalid(why: &str) -> Problem {
    Problem::new(
        Code::InvalidAuthenticationToken,
        format!("The access token is invalid: {why}."),
    )
}
