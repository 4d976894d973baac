//! How often a sign-in may fail, as whoever signs in sees it.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use serde_json::json;
use uuid::Uuid;

use crate::app::limits::{ADDRESS_FAILURE_EVERY, ADDRESS_FAILURES, CLIENT_FAILURES};
use crate::testing::{Answer, Harness};

const CLIENT: Uuid = Uuid::from_u128(0xc11e);

/// A service principal; its secret.
async fn made(harness: &Harness) -> String {
    let path = format!("/providers/Strongroom.Administration/servicePrincipals/{CLIENT}");
    let body = json!({"properties": {"displayName": "nightly"}});
    assert_eq!(harness.put(&path, body).await.status, 201);
    let made = harness
        .call("POST", &format!("{path}/resetSecret"), None)
        .await;
    made.json()["secretText"].as_str().unwrap().to_owned()
}

async fn sign_in(harness: &Harness, from: u8, client: Uuid, secret: &str) -> Answer {
    let path = format!("/{}/oauth2/v2.0/token", harness.app.tenant_id);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "client_credentials"),
        ("client_id", &client.to_string()),
        ("client_secret", secret),
        ("scope", "https://management.azure.com/.default"),
    ]);
    let peer = ConnectInfo(SocketAddr::from(([10, 0, 0, from], 50_000)));
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(peer)
        .body(Body::from(form.finish()));
    harness.send(request.unwrap()).await
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_put_off_and_others_are_not() {
    let harness = Harness::new().await;
    let secret = made(&harness).await;
    for _ in 0..ADDRESS_FAILURES {
        assert_eq!(sign_in(&harness, 1, CLIENT, "wrong").await.status, 401);
    }
    for secret in ["wrong", secret.as_str()] {
        let answer = sign_in(&harness, 1, CLIENT, secret).await;
        assert_eq!(answer.status, 429, "{}", answer.text);
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert_eq!(answer.header("x-ms-error-code"), "TooManyRequests");
        let every = ADDRESS_FAILURE_EVERY.as_secs().to_string();
        assert_eq!(answer.header("retry-after"), every);
    }
    assert_eq!(sign_in(&harness, 2, CLIENT, &secret).await.status, 200);
    harness.clock.advance(ADDRESS_FAILURE_EVERY);
    assert_eq!(sign_in(&harness, 1, CLIENT, &secret).await.status, 200);
}

#[tokio::test]
async fn a_client_that_many_guess_at_is_let_in_from_elsewhere_at_once() {
    let harness = Harness::new().await;
    let secret = made(&harness).await;
    let guessers = u8::try_from(CLIENT_FAILURES).unwrap();
    for from in 1..=guessers {
        assert_eq!(sign_in(&harness, from, CLIENT, "wrong").await.status, 401);
    }
    assert_eq!(sign_in(&harness, 1, CLIENT, "wrong").await.status, 429);
    assert_eq!(
        sign_in(&harness, guessers + 1, CLIENT, &secret)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn who_asks_for_clients_that_there_are_not_is_put_off_as_well() {
    let harness = Harness::new().await;
    for n in 0..u128::from(ADDRESS_FAILURES) {
        let answer = sign_in(&harness, 1, Uuid::from_u128(n), "x").await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    assert_eq!(sign_in(&harness, 1, CLIENT, "x").await.status, 429);
}

#[tokio::test]
async fn a_sign_in_that_was_put_off_is_in_the_audit_log() {
    let harness = Harness::new().await;
    made(&harness).await;
    for _ in 0..=ADDRESS_FAILURES {
        sign_in(&harness, 1, CLIENT, "wrong").await;
    }
    let mut session = harness.app.store.read().await.unwrap();
    let entries = session.audit_entries(0, 1_000).await.unwrap().rows;
    let last = &entries.last().unwrap().event;
    assert_eq!(last.action, "Strongroom/login/token/action");
    assert_eq!(last.code.as_deref(), Some("TooManyRequests"));
    assert_eq!(last.status, Some(429));
    assert_eq!(last.client_address.as_deref(), Some("10.0.0.1"));
}
