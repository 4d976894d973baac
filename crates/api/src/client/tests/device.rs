//! A sign-in by code against a provider that is played.

use super::*;
use crate::administration::SignInWith;
use crate::client::device::DeviceSignIn;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

fn token(audience: &str) -> String {
    let claims = json!({"aud": audience, "exp": 10_000, "iat": 9_940}).to_string();
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// Signs in at a provider that gives these answers at its token endpoint, one after the other.
async fn sign_in(answers: Vec<(u16, Value)>) -> Result<SignedIn, ClientError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let known = json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device")});
    let begun = json!({"device_code": "d", "user_code": "ABCD-EFGH", "expires_in": 600, "interval": 0,
        "verification_uri": format!("{issuer}/enter")});
    let router = Router::new().fallback(move |request: Request| {
        let (known, begun, answers) = (known.clone(), begun.clone(), Arc::clone(&answers));
        async move {
            let (status, body) = match request.uri().path() {
                "/.well-known/openid-configuration" => (200, known),
                "/device" => (200, begun),
                _ => answers.lock().unwrap().next().unwrap(),
            };
            (StatusCode::from_u16(status).unwrap(), axum::Json(body))
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let with = SignInWith {
        issuer,
        client_id: "cli".into(),
        audience: "vaults".into(),
        scope: "openid".into(),
    };
    let begun = DeviceSignIn::begin(with, None).await?;
    assert_eq!(begun.user_code, "ABCD-EFGH");
    begun.wait().await
}

fn pending() -> (u16, Value) {
    (400, json!({"error": "authorization_pending"}))
}

#[tokio::test]
async fn the_token_that_is_for_the_server_is_taken_once_the_person_has_signed_in() {
    let both = json!({"access_token": token("vaults"), "id_token": token("vaults"), "token_type": "Bearer"});
    let signed_in = sign_in(vec![pending(), pending(), (200, both)])
        .await
        .unwrap();
    assert_eq!(signed_in.expires_in, 60);
    for access in ["opaque", &token("other")] {
        let tokens = json!({"access_token": access, "id_token": token("vaults")});
        let signed_in = sign_in(vec![(200, tokens)]).await.unwrap();
        assert_eq!(signed_in.token.expose(), token("vaults"));
    }
}

#[tokio::test]
async fn a_refusal_says_what_the_provider_says() {
    let refused = (
        400,
        json!({"error": "access_denied", "error_description": "not today"}),
    );
    let error = sign_in(vec![pending(), refused]).await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(error.to_string().contains("not today"), "{error}");
    let none = json!({"access_token": token("other")});
    let error = sign_in(vec![(200, none)]).await.unwrap_err().to_string();
    assert!(error.contains("no token for 'vaults'"), "{error}");
    let error = sign_in(vec![(404, json!({}))])
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("status 404"), "{error}");
}

#[tokio::test]
async fn a_provider_of_another_name_is_not_asked() {
    let (client, _) = server(|_, _| {
        axum::Json(json!({"issuer": "https://x", "token_endpoint": "https://x/t"})).into_response()
    })
    .await;
    let with = SignInWith {
        issuer: client.server().as_str().trim_end_matches('/').to_owned(),
        client_id: "cli".into(),
        audience: "a".into(),
        scope: "openid".into(),
    };
    let error = DeviceSignIn::begin(with, None).await.unwrap_err();
    assert!(error.to_string().contains("another issuer"), "{error}");
    let with = SignInWith {
        issuer: "http://login.example.org".into(),
        client_id: "cli".into(),
        audience: "a".into(),
        scope: "openid".into(),
    };
    let error = DeviceSignIn::begin(with, None).await.unwrap_err();
    assert!(error.to_string().contains("not TLS"), "{error}");
}
