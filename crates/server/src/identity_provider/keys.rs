//! Which key a signature is checked with, and when the provider is asked for its keys again.
//!
//! Contract: keys are good for [`KEYS_FRESH`]. A key that is not known is asked for at once, because providers
//! replace their keys, and then not again within [`KEYS_PAUSE`], whatever came of it: anybody may present a name
//! that no key has, also while the provider is away. A provider that does not answer is believed by its last
//! keys for [`KEYS_STALE`].

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};

use crate::app::limits::{KEYS_FRESH, KEYS_PAUSE, KEYS_STALE};

/// The keys of a provider, and when it was asked for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Keyring {
    keys: Vec<Jwk>,
    /// When they were read.
    read_at: Option<Timestamp>,
    /// When the provider was asked last, whatever came of it.
    asked_at: Option<Timestamp>,
}

/// What is to be done for a key.
#[derive(Debug)]
pub(super) enum Look<'a> {
    /// This is it.
    Found(&'a Jwk),
    /// It does not exist.
    Absent,
    /// The provider was asked a moment ago and did not answer.
    Silent,
    /// The provider has to be asked.
    Ask,
}

impl Keyring {
    /// Keys that were read just now.
    pub(super) fn read(keys: Vec<Jwk>, now: Timestamp) -> Self {
        Self {
            keys,
            read_at: Some(now),
            asked_at: Some(now),
        }
    }

    /// The same keys, once the provider was asked in vain.
    pub(super) fn not_answered(&self, now: Timestamp) -> Self {
        Self {
            asked_at: Some(now),
            ..self.clone()
        }
    }

    /// What is to be done for the key with this id, or without one.
    pub(super) fn look(&self, id: Option<&str>, by: Algorithm, now: Timestamp) -> Look<'_> {
        let within = |moment: Option<Timestamp>, age| {
            moment.is_some_and(|moment| age_of(moment, now).is_some_and(|found| found < age))
        };
        let asked_lately = within(self.asked_at, KEYS_PAUSE);
        match self.find(id, by, now) {
            Some(key) if asked_lately || within(self.read_at, KEYS_FRESH) => Look::Found(key),
            None if asked_lately && self.read_at == self.asked_at => Look::Absent,
            None if asked_lately => Look::Silent,
            _ => Look::Ask,
        }
    }

    /// The key, as long as keys may be believed at all.
    pub(super) fn find(&self, id: Option<&str>, by: Algorithm, now: Timestamp) -> Option<&Jwk> {
        let age = age_of(self.read_at?, now)?;
        if age >= KEYS_STALE {
            return None;
        }
        let mut fitting = self.keys.iter().filter(|key| fits(key, by));
        match id {
            Some(_) => fitting.find(|key| key.common.key_id.as_deref() == id),
            // Without an id there must be no choice.
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

/// How long ago it was. None when it lies ahead: that is of a clock that was put back, and says nothing.
fn age_of(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    now.duration_since(moment).try_into().ok()
}

/// Whether a key is for signatures by this algorithm: no header may choose another way to read a key
/// (RFC 8725, 3.1).
fn fits(key: &Jwk, by: Algorithm) -> bool {
    let for_signatures = !matches!(
        &key.common.public_key_use,
        Some(other) if *other != PublicKeyUse::Signature
    );
    let own = key.common.key_algorithm.as_ref();
    let is_its_own = own.is_none_or(|own| own.to_string() == format!("{by:?}"));
    let is_its_kind = match (&key.algorithm, by) {
        (AlgorithmParameters::RSA(_), _) => is_rsa(by),
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => {
            key.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => {
            key.curve == EllipticCurve::P384
        }
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    for_signatures && is_its_own && is_its_kind
}

fn is_rsa(by: Algorithm) -> bool {
    matches!(
        by,
        Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
    )
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn key(id: &str, more: serde_json::Value) -> Jwk {
        let mut key = json!({"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "kid": id});
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        serde_json::from_value(key).unwrap()
    }

    fn after(age: Duration) -> Timestamp {
        now() + SignedDuration::try_from(age).unwrap()
    }

    #[test]
    fn keys_are_asked_for_when_they_are_old_or_a_name_is_new_and_not_again_at_once() {
        let look = |keys: &Keyring, id, at| match keys.look(Some(id), Algorithm::ES256, at) {
            Look::Found(_) => "found",
            Look::Absent => "absent",
            Look::Silent => "silent",
            Look::Ask => "ask",
        };
        let none = Keyring::default();
        assert_eq!(look(&none, "a", now()), "ask");
        let in_vain = none.not_answered(now());
        assert_eq!(look(&in_vain, "a", now()), "silent");
        assert_eq!(look(&in_vain, "a", after(KEYS_PAUSE)), "ask");

        let keys = Keyring::read(vec![key("a", json!({}))], now());
        assert_eq!(look(&keys, "a", now()), "found");
        assert_eq!(look(&keys, "b", now()), "absent", "asked a moment ago");
        assert_eq!(look(&keys, "b", after(KEYS_PAUSE)), "ask");
        assert_eq!(look(&keys, "a", after(KEYS_PAUSE)), "found");
        assert_eq!(look(&keys, "a", after(KEYS_FRESH)), "ask");
        let in_vain = keys.not_answered(after(KEYS_FRESH));
        assert_eq!(look(&in_vain, "a", after(KEYS_FRESH)), "found");
        assert_eq!(look(&in_vain, "b", after(KEYS_FRESH)), "silent");
        let late = keys.not_answered(after(KEYS_STALE));
        assert_eq!(look(&late, "a", after(KEYS_STALE)), "silent");
        assert_eq!(look(&late, "a", after(KEYS_STALE + KEYS_PAUSE)), "ask");
        assert!(
            late.find(Some("a"), Algorithm::ES256, after(KEYS_STALE))
                .is_none()
        );
        let before = now() - SignedDuration::from_secs(1);
        assert_eq!(look(&keys, "a", before), "ask", "the clock was put back");
    }

    #[test]
    fn a_key_is_used_for_what_it_is_for() {
        let keys = |more| Keyring::read(vec![key("a", more)], now());
        let finds = |keys: &Keyring, by| keys.find(Some("a"), by, now()).is_some();
        assert!(finds(&keys(json!({})), Algorithm::ES256));
        assert!(finds(
            &keys(json!({"use": "sig", "alg": "ES256"})),
            Algorithm::ES256
        ));
        for (more, by) in [
            (json!({}), Algorithm::ES384),
            (json!({}), Algorithm::RS256),
            (json!({}), Algorithm::HS256),
            (json!({}), Algorithm::EdDSA),
            (json!({"use": "enc"}), Algorithm::ES256),
            (json!({"alg": "ES384"}), Algorithm::ES256),
            (json!({"crv": "P-384"}), Algorithm::ES256),
        ] {
            assert!(!finds(&keys(more.clone()), by), "{more} {by:?}");
        }
        let shared: Jwk =
            serde_json::from_value(json!({"kty": "oct", "k": "eA", "kid": "a"})).unwrap();
        let shared = Keyring::read(vec![shared], now());
        assert!(!finds(&shared, Algorithm::HS256));
    }

    #[test]
    fn a_token_that_names_no_key_is_of_the_only_one() {
        let one = Keyring::read(vec![key("a", json!({}))], now());
        assert!(one.find(None, Algorithm::ES256, now()).is_some());
        let two = Keyring::read(vec![key("a", json!({})), key("b", json!({}))], now());
        assert!(two.find(None, Algorithm::ES256, now()).is_none());
    }
}
