//! Service principals, from their making to their end, and how they sign in.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use std::time::Duration;
use strongroom_core::authorization::{BACKUP_CONTRIBUTOR, CONTRIBUTOR, READER};
use uuid::Uuid;

use crate::testing::{Answer, Harness, VERSION};

const CLIENT: Uuid = Uuid::from_u128(0xc11e);
const SERVER: &str = "https://vault.example.org:8443";

fn path() -> String {
    format!("/providers/Strongroom.Administration/servicePrincipals/{CLIENT}")
}

/// A service principal with a secret; its document and the secret.
async fn made(harness: &Harness) -> (Value, String) {
    let body = json!({"properties": {"displayName": "nightly"}});
    let answer = harness.put(&path(), body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    (answer.json(), secret(harness, json!({})).await)
}

async fn secret(harness: &Harness, body: Value) -> String {
    let path = format!("{}/resetSecret", path());
    let answer = harness.call("POST", &path, Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()["secretText"].as_str().unwrap().to_owned()
}

async fn posted(harness: &Harness, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let request = Request::post(path)
        .header(header::HOST, "vault.example.org:8443")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.finish()))
        .unwrap();
    harness.send(request).await
}

async fn sign_in(harness: &Harness, secret: &str) -> Answer {
    let scope = format!("{SERVER}/.default");
    let path = format!("/{}/oauth2/v2.0/token", harness.app.tenant_id);
    let client = CLIENT.to_string();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", secret),
        ("scope", scope.as_str()),
    ];
    posted(harness, &path, &fields).await
}

async fn token(harness: &Harness, secret: &str) -> String {
    let answer = sign_in(harness, secret).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 3600);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_principal_signs_in_and_has_the_roles_that_are_assigned_to_it() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let (principal, secret) = made(&harness).await;
    let token = token(&harness, &secret).await;
    let denied = harness.as_holder_of(&token, "GET", &vault).await;
    assert_eq!(denied.refusal(), (403, "AuthorizationFailed".to_owned()));
    assert!(
        denied.text.contains("The client 'nightly'"),
        "{}",
        denied.text
    );
    let object = principal["properties"]["objectId"].as_str().unwrap();
    harness
        .assign(BACKUP_CONTRIBUTOR, object.parse().unwrap(), &vault)
        .await;
    let allowed = harness.as_holder_of(&token, "GET", &vault).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    let elsewhere = harness
        .as_holder_of(&token, "GET", &format!("{vault}-2"))
        .await;
    assert_eq!(elsewhere.refusal().0, 403);
    // With the principal go its token and its roles, and who comes after it inherits neither.
    assert_eq!(harness.delete(&path()).await.status, 200);
    let gone = harness.as_holder_of(&token, "GET", &vault).await;
    assert_eq!(
        gone.refusal(),
        (401, "InvalidAuthenticationToken".to_owned())
    );
    let (_, again) = made(&harness).await;
    let gone = harness.as_holder_of(&token, "GET", &vault).await;
    assert_eq!(gone.refusal().0, 401);
    let other = self::token(&harness, &again).await;
    let denied = harness.as_holder_of(&other, "GET", &vault).await;
    assert_eq!(denied.refusal().0, 403);
}

#[tokio::test]
async fn what_was_written_by_a_principal_says_so() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let (principal, secret) = made(&harness).await;
    let object = principal["properties"]["objectId"].as_str().unwrap();
    harness
        .assign(CONTRIBUTOR, object.parse().unwrap(), &vault)
        .await;
    let token = token(&harness, &secret).await;
    let request = Request::patch(format!("{vault}?{VERSION}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"tags": {"by": "program"}}"#))
        .unwrap();
    let written = harness.send(request).await;
    assert_eq!(written.status, 200, "{}", written.text);
    assert_eq!(written.json()["systemData"]["lastModifiedBy"], "nightly");
    assert_eq!(
        written.json()["systemData"]["lastModifiedByType"],
        "Application"
    );
}

#[tokio::test]
async fn secrets_are_told_once_and_end() {
    let harness = Harness::new().await;
    let (_, first) = made(&harness).await;
    let read = harness.get(&path()).await;
    assert!(
        !read.text.contains(&first) && !read.text.contains("mac"),
        "{}",
        read.text
    );
    let shown = &read.json()["properties"]["passwordCredentials"][0];
    assert_eq!(shown["hint"].as_str().unwrap(), &first[..7]);
    let soon = json!({"endDateTime": "2026-01-02T04:04:05Z", "keepOthers": true});
    let short = secret(&harness, soon).await;
    for good in [&first, &short] {
        token(&harness, good).await;
    }
    harness.clock.advance(Duration::from_secs(3600));
    let over = sign_in(&harness, &short).await;
    assert_eq!(
        (over.status, over.json()["error"].clone()),
        (401, json!("invalid_client"))
    );
    assert_eq!(over.json()["error_codes"][0], 7_000_222);
    token(&harness, &first).await;
    // A reset ends the others.
    let second = secret(&harness, json!({})).await;
    let over = sign_in(&harness, &first).await;
    assert_eq!(over.json()["error_codes"][0], 7_000_215);
    token(&harness, &second).await;
    for end in ["2026-01-02T03:00:00Z", "2030-01-01T00:00:00Z"] {
        let body = json!({ "endDateTime": end });
        let refused = harness
            .call("POST", &format!("{}/resetSecret", path()), Some(body))
            .await;
        assert_eq!(
            refused.refusal(),
            (400, "InvalidRequestContent".to_owned()),
            "{end}"
        );
    }
    for _ in 1..crate::app::limits::CLIENT_SECRETS_MAX {
        secret(&harness, json!({"keepOthers": true})).await;
    }
    let body = json!({"keepOthers": true});
    let refused = harness
        .call("POST", &format!("{}/resetSecret", path()), Some(body))
        .await;
    assert_eq!(refused.refusal(), (409, "QuotaExceeded".to_owned()));
}

#[tokio::test]
async fn a_token_is_good_for_an_hour() {
    let harness = Harness::new().await;
    let (_, secret) = made(&harness).await;
    let token = token(&harness, &secret).await;
    let answer = harness.as_holder_of(&token, "GET", "/subscriptions").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    harness.clock.advance(Duration::from_secs(3600 + 300));
    let over = harness.as_holder_of(&token, "GET", "/subscriptions").await;
    assert_eq!(
        over.refusal(),
        (401, "ExpiredAuthenticationToken".to_owned())
    );
    assert!(over.header("www-authenticate").starts_with("Bearer "));
    for forged in [
        "a.b.c",
        "..",
        &format!("{token}x"),
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        let refused = harness.as_holder_of(forged, "GET", "/subscriptions").await;
        assert_eq!(
            refused.refusal(),
            (401, "InvalidAuthenticationToken".to_owned()),
            "{forged}"
        );
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_says_why_as_oauth_does() {
    let harness = Harness::new().await;
    let (_, secret) = made(&harness).await;
    let tenant = harness.app.tenant_id;
    let (client, other) = (CLIENT.to_string(), Uuid::from_u128(1).to_string());
    let right = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://management.azure.com/.default"),
    ];
    let with = |at: usize, value| {
        let mut changed = right;
        changed[at].1 = value;
        changed
    };
    let here = format!("/{tenant}/oauth2/v2.0/token");
    let there = format!("/{other}/oauth2/v2.0/token");
    assert_eq!(posted(&harness, &here, &right).await.status, 200);
    let long = "x".repeat(20_000);
    for (path, fields, status, error) in [
        (&there, right, 400, "invalid_request"),
        (&here, with(0, "password"), 400, "unsupported_grant_type"),
        (&here, with(1, ""), 400, "invalid_request"),
        (&here, with(1, &other), 400, "unauthorized_client"),
        (&here, with(1, "nightly"), 400, "unauthorized_client"),
        (&here, with(2, ""), 400, "invalid_request"),
        (&here, with(2, "wrong"), 401, "invalid_client"),
        (&here, with(2, &long), 400, "invalid_request"),
        (
            &here,
            with(3, "https://graph.microsoft.com/.default"),
            400,
            "invalid_resource",
        ),
        (&here, with(3, "openid"), 400, "invalid_scope"),
    ] {
        let answer = posted(&harness, path, &fields).await;
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(
            (answer.status, told.as_str()),
            (status, error),
            "{}",
            answer.text
        );
        assert!(answer.text.contains("AADSTS"), "{}", answer.text);
        assert!(!answer.text.contains(&secret), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_older_form_names_a_resource_and_gets_numbers_as_text() {
    let harness = Harness::new().await;
    let (_, secret) = made(&harness).await;
    let client = CLIENT.to_string();
    let path = format!("/{}/oauth2/token", harness.app.tenant_id);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", secret.as_str()),
        ("resource", "https://management.core.windows.net/"),
    ];
    let answer = posted(&harness, &path, &fields).await.json();
    assert_eq!(answer["expires_in"], "3600");
    assert_eq!(answer["not_before"], "1767323045");
    let token = answer["access_token"].as_str().unwrap();
    let asked = harness.as_holder_of(token, "GET", "/subscriptions").await;
    assert_eq!(asked.status, 200);
}

#[tokio::test]
async fn clients_find_the_endpoint_and_the_keys() {
    let harness = Harness::new().await;
    let tenant = harness.app.tenant_id;
    let get = async |path: String| {
        let request = Request::get(path).header(header::HOST, "vault.example.org:8443");
        harness.send(request.body(Body::empty()).unwrap()).await
    };
    let found = get(format!("/{tenant}/v2.0/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(found["issuer"], format!("{SERVER}/{tenant}/v2.0"));
    assert_eq!(
        found["token_endpoint"],
        format!("{SERVER}/{tenant}/oauth2/v2.0/token")
    );
    let keys = found["jwks_uri"]
        .as_str()
        .unwrap()
        .strip_prefix(SERVER)
        .unwrap()
        .to_owned();
    assert_eq!(get(keys).await.json()["keys"][0]["kty"], "EC");
    for path in [
        "v2.0/.well-known/openid-configuration",
        "discovery/v2.0/keys",
    ] {
        assert_eq!(get(format!("/common/{path}")).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn principals_are_listed_renamed_and_kept_from_who_may_only_manage_resources() {
    let harness = Harness::new().await;
    let (first, _) = made(&harness).await;
    let body = json!({"properties": {"displayName": "hourly"}});
    let renamed = harness.put(&path().to_uppercase(), body).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    assert_eq!(
        renamed.json()["properties"]["objectId"],
        first["properties"]["objectId"]
    );
    let all = "/providers/Strongroom.Administration/servicePrincipals";
    let listed = harness.get(all).await.json();
    assert_eq!(listed["value"][0]["properties"]["displayName"], "hourly");
    for (name, body) in [
        ("nightly", json!({"properties": {"displayName": "x"}})),
        (
            &CLIENT.to_string(),
            json!({"properties": {"displayName": " "}}),
        ),
        (
            &CLIENT.to_string(),
            json!({"properties": {"displayName": "x".repeat(121)}}),
        ),
    ] {
        assert_eq!(
            harness
                .put(&format!("{all}/{name}"), body)
                .await
                .refusal()
                .0,
            400
        );
    }
    let me = Uuid::from_u128(42);
    harness.assign(CONTRIBUTOR, me, "").await;
    harness.assign(READER, me, "").await;
    let reset = harness
        .call_as(me, "POST", &format!("{}/resetSecret", path()), None)
        .await;
    assert_eq!(reset.refusal(), (403, "AuthorizationFailed".to_owned()));
    assert_eq!(harness.call_as(me, "GET", all, None).await.status, 200);
    assert_eq!(harness.delete(&path()).await.status, 200);
    assert_eq!(harness.delete(&path()).await.status, 204);
}
