//! People sign in with tokens of a provider that answers over HTTP, as real ones do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use strongroom_core::authorization::READER;
use uuid::Uuid;

use super::*;
use crate::app::limits::{KEYS_BYTES_MAX, KEYS_FRESH, KEYS_PAUSE, KEYS_STALE};
use crate::testing::{Answer, Harness};

const ME: &str = "/providers/Strongroom.Administration/me";

/// A key of the provider.
struct SigningKey {
    id: &'static str,
    pkcs8: Vec<u8>,
    public: Value,
}

impl SigningKey {
    fn new(id: &'static str) -> Self {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = made.unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        let point = pair.public_key().as_ref();
        let public = json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
        Self { id, pkcs8, public }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

/// What the provider answers.
#[derive(Default)]
struct Answers {
    issuer: Mutex<String>,
    jwks_uri: Mutex<String>,
    keys: Mutex<Vec<Value>>,
    asked: AtomicU32,
}

/// A provider on this machine, and a server that believes it.
struct Stage {
    answers: Arc<Answers>,
    harness: Harness,
    key: SigningKey,
    issuer: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Stage {
    async fn new() -> Self {
        let answers = Arc::new(Answers::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        issuer.clone_into(&mut answers.issuer.lock().unwrap());
        *answers.jwks_uri.lock().unwrap() = format!("{issuer}/keys");
        let configuration = |State(answers): State<Arc<Answers>>| async move {
            let (issuer, keys) = (
                answers.issuer.lock().unwrap(),
                answers.jwks_uri.lock().unwrap(),
            );
            Json(json!({"issuer": *issuer, "jwks_uri": *keys})).into_response()
        };
        let keys = |State(answers): State<Arc<Answers>>| async move {
            answers.asked.fetch_add(1, Ordering::Relaxed);
            Json(json!({"keys": *answers.keys.lock().unwrap()}))
        };
        let router = Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(configuration),
            )
            .route("/realm/keys", get(keys))
            .with_state(Arc::clone(&answers));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let key = SigningKey::new("first");
        *answers.keys.lock().unwrap() = vec![json!({"kty": "of tomorrow"}), key.public.clone()];
        let settings = format!("issuer = \"{issuer}\"\naudience = \"vaults\"\n");
        let harness = Harness::with_identity_provider(toml::from_str(&settings).unwrap()).await;
        Self {
            answers,
            harness,
            key,
            issuer,
            serving,
        }
    }

    /// The claims of a good token, with these instead.
    fn claims(&self, changes: &Value) -> Value {
        let now = self.harness.app.now().as_second();
        let mut claims = json!({"iss": self.issuer, "aud": "vaults", "sub": "7", "exp": now + 3600,
            "preferred_username": "ada", "groups": ["operators"]});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn token(&self) -> String {
        self.key.sign(&self.claims(&json!({})))
    }

    async fn me(&self, token: &str) -> Answer {
        self.harness.as_holder_of(token, "GET", ME).await
    }

    fn asked(&self) -> u32 {
        self.answers.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn who_signs_in_may_what_their_own_and_their_groups_roles_grant() {
    let stage = Stage::new().await;
    let me = stage.me(&stage.token()).await;
    assert_eq!(me.status, 200, "{}", me.text);
    let me = me.json();
    assert_eq!(
        (me["name"].as_str(), me["kind"].as_str()),
        (Some("ada"), Some("User"))
    );
    assert_eq!(me["isAdministrator"], false);
    assert_eq!(me["groups"][0]["name"], "operators");

    let vault = stage.harness.vault_path().await;
    let group = vault.split("/providers").next().unwrap().to_owned();
    let seen = stage
        .harness
        .as_holder_of(&stage.token(), "GET", &group)
        .await;
    assert_eq!(seen.refusal(), (403, "AuthorizationFailed".to_owned()));
    for named in [json!({"group": "operators"}), json!({"user": "7"})] {
        let path = "/providers/Strongroom.Administration/objectIds";
        let told = stage.harness.call("POST", path, Some(named.clone())).await;
        let id: Uuid = told.json()["objectId"].as_str().unwrap().parse().unwrap();
        let of_me = [&me["objectId"], &me["groups"][0]["objectId"]];
        assert!(
            of_me.iter().any(|known| **known == id.to_string()),
            "{named}"
        );
        stage.harness.assign(READER, id, &group).await;
        let seen = stage
            .harness
            .as_holder_of(&stage.token(), "GET", &group)
            .await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        let changed = stage
            .harness
            .as_holder_of(&stage.token(), "DELETE", &group)
            .await;
        assert_eq!(changed.refusal().0, 403);
        stage.harness.unassign_all(id).await;
        let seen = stage
            .harness
            .as_holder_of(&stage.token(), "GET", &group)
            .await;
        assert_eq!(seen.refusal().0, 403);
    }
}

#[tokio::test]
async fn somebody_in_many_groups_has_the_roles_of_all() {
    let stage = Stage::new().await;
    let vault = stage.harness.vault_path().await;
    let group = vault.split("/providers").next().unwrap().to_owned();
    let names: Vec<String> = (0..100).map(|number| format!("group-{number}")).collect();
    let token = stage.key.sign(&stage.claims(&json!({"groups": names})));
    let settings = &stage
        .harness
        .app
        .identity_provider
        .as_ref()
        .unwrap()
        .settings;
    let last = group_id(settings, "group-99").unwrap();
    assert_eq!(
        stage
            .harness
            .as_holder_of(&token, "GET", &group)
            .await
            .status,
        403
    );
    stage.harness.assign(READER, last, &group).await;
    assert_eq!(
        stage
            .harness
            .as_holder_of(&token, "GET", &group)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_token_that_the_provider_did_not_sign_for_us_is_refused() {
    let stage = Stage::new().await;
    assert_eq!(stage.me(&stage.token()).await.status, 200);
    let good = stage.token();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(&stage.claims(&json!({})));
    let unsigned = format!(
        "{}.{claims}.",
        part(&json!({"alg": "none", "kid": "first"}))
    );
    let shared =
        EncodingKey::from_secret(stage.key.public["x"].as_str().unwrap().as_bytes()).unwrap();
    let header = Header {
        kid: Some("first".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let shared = jsonwebtoken::encode(&header, &stage.claims(&json!({})), &shared).unwrap();
    let stolen_name = SigningKey {
        id: "first",
        ..SigningKey::new("other")
    };
    let (head, tail) = good.split_once('.').unwrap();
    let (_, signature) = tail.split_once('.').unwrap();
    let changed = part(&stage.claims(&json!({"sub": "8"})));
    let past = stage.harness.app.now().as_second() - 3600;
    for (what, token) in [
        ("no signature", unsigned),
        ("a shared secret", shared),
        ("another key", stolen_name.sign(&stage.claims(&json!({})))),
        ("changed claims", format!("{head}.{changed}.{signature}")),
        (
            "another audience",
            stage.key.sign(&stage.claims(&json!({"aud": "x"}))),
        ),
        (
            "another issuer",
            stage.key.sign(&stage.claims(&json!({"iss": "https://x"}))),
        ),
        (
            "no key of that name",
            SigningKey::new("second").sign(&stage.claims(&json!({}))),
        ),
    ] {
        let answer = stage.me(&token).await;
        assert_eq!(
            answer.refusal(),
            (401, "InvalidAuthenticationToken".to_owned()),
            "{what}"
        );
        assert!(
            answer.header("www-authenticate").starts_with("Bearer "),
            "{what}"
        );
    }
    let expired = stage.key.sign(&stage.claims(&json!({"exp": past})));
    let answer = stage.me(&expired).await;
    assert_eq!(
        answer.refusal(),
        (401, "ExpiredAuthenticationToken".to_owned())
    );
}

#[tokio::test]
async fn a_new_key_is_asked_for_and_made_up_names_are_not() {
    let stage = Stage::new().await;
    assert_eq!(stage.me(&stage.token()).await.status, 200);
    assert_eq!(stage.asked(), 1);
    let next = SigningKey::new("next");
    let token = next.sign(&stage.claims(&json!({})));
    for _ in 0..20 {
        assert_eq!(stage.me(&token).await.status, 401);
    }
    assert_eq!(stage.asked(), 1, "asked a moment ago");
    *stage.answers.keys.lock().unwrap() = vec![next.public.clone()];
    stage.harness.clock.advance(KEYS_PAUSE);
    let (one, other) = tokio::join!(stage.me(&token), stage.me(&token));
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(
        stage.asked(),
        2,
        "who waits for the answer does not ask too"
    );
    assert_eq!(
        stage.me(&stage.token()).await.status,
        401,
        "the first key is gone"
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_believed_by_its_last_keys_for_a_while() {
    let stage = Stage::new().await;
    let token = stage
        .key
        .sign(&stage.claims(&json!({"exp": 4_000_000_000_u64})));
    assert_eq!(stage.me(&token).await.status, 200);
    stage.serving.abort();
    stage.harness.clock.advance(KEYS_FRESH);
    assert_eq!(stage.me(&token).await.status, 200);
    stage.harness.clock.advance(KEYS_STALE - KEYS_FRESH);
    let answer = stage.me(&token).await;
    assert_eq!(answer.refusal(), (503, "ServiceUnavailable".to_owned()));
    let admin = stage.harness.get(ME).await;
    assert_eq!(admin.json()["isAdministrator"], true, "{}", admin.text);
}

#[tokio::test]
async fn a_provider_that_answers_oddly_is_not_believed_and_the_reason_is_told() {
    for (what, expected) in [
        ("issuer", "another issuer"),
        ("plain", "not reached by TLS"),
        ("long", "more than"),
        ("gone", "status 404"),
    ] {
        let stage = Stage::new().await;
        match what {
            "issuer" => stage.answers.issuer.lock().unwrap().push('x'),
            "plain" => "http://login.example.org/keys"
                .clone_into(&mut stage.answers.jwks_uri.lock().unwrap()),
            "gone" => stage.answers.jwks_uri.lock().unwrap().push_str("/nowhere"),
            _ => stage
                .answers
                .keys
                .lock()
                .unwrap()
                .push(json!("x".repeat(KEYS_BYTES_MAX))),
        }
        let answer = stage.me(&stage.token()).await;
        assert_eq!(
            answer.refusal(),
            (503, "ServiceUnavailable".to_owned()),
            "{what}"
        );
        let told = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(told.contains(expected), "{what}: {told}");

        // Nobody makes the server ask more often by presenting more.
        let asked = stage.asked();
        for _ in 0..20 {
            assert_eq!(stage.me(&stage.token()).await.status, 503, "{what}");
        }
        assert_eq!(stage.asked(), asked, "{what}");
    }
}

#[tokio::test]
async fn a_client_learns_how_people_sign_in_before_they_have() {
    const AT: &str = "/.well-known/oauth-protected-resource";
    let stage = Stage::new().await;
    let told = stage.harness.anonymous("GET", AT).await.json();
    assert_eq!(told["authorization_servers"][0], stage.issuer);
    assert_eq!(
        told["strongroom_sign_in"],
        json!({"issuer": stage.issuer, "client_id": "vaults", "audience": "vaults", "scope": "openid profile groups"})
    );
    let without = Harness::new().await;
    let told = without.anonymous("GET", AT).await.json();
    assert!(told.get("strongroom_sign_in").is_none(), "{told}");
    let path = "/providers/Strongroom.Administration/objectIds";
    let answer = without.call("POST", path, Some(json!({"user": "7"}))).await;
    assert_eq!(answer.refusal(), (400, "InvalidRequestContent".to_owned()));
    for body in [
        json!({}),
        json!({"user": "a", "group": "b"}),
        json!({"who": "a"}),
    ] {
        let answer = stage.harness.call("POST", path, Some(body)).await;
        assert_eq!(answer.refusal().0, 400, "{}", answer.text);
    }
}
