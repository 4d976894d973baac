//! A program signs in when it has no token, and again when that has ended.

use super::*;

const EXPIRED: &str = "ExpiredAuthenticationToken";

/// A server that takes the tokens from the `valid`-th on, and gives one more at each sign-in.
async fn server_taking(valid: u32) -> (ClientOptions, Arc<Played>) {
    let given = AtomicU32::new(0);
    let (client, played) = server(move |_, request| {
        if request.uri().path().ends_with("/oauth2/v2.0/token") {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            let body = json!({"access_token": format!("t{number}"), "expires_in": 3600});
            return axum::Json(body).into_response();
        }
        let token = request.headers().get("authorization");
        let token = token.map_or("", |value| value.to_str().unwrap());
        let number = token
            .strip_prefix("Bearer t")
            .and_then(|text| text.parse().ok());
        if number.is_some_and(|number: u32| number >= valid) {
            return axum::Json(json!({"name": "rg"})).into_response();
        }
        let body = json!({"error": {"code": EXPIRED, "message": "It has ended."}});
        (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
    })
    .await;
    let mut options = ClientOptions::new(client.server().as_str());
    options.pace = QUICK;
    options.service_principal = Some(ServicePrincipal {
        tenant: "tenant".to_owned(),
        client_id: "client".to_owned(),
        secret: Secret::new("secret"),
    });
    (options, played)
}

async fn read(client: &Client) -> Result<ResourceGroup, ClientError> {
    client.resource_groups("s").get("rg").await
}

fn sign_ins(played: &Played) -> usize {
    let seen = played.seen.lock().unwrap();
    seen.iter().filter(|call| call.contains("/oauth2/")).count()
}

#[tokio::test]
async fn who_has_no_token_signs_in_once_for_all_calls() {
    let (options, played) = server_taking(1).await;
    let client = Client::new(options).unwrap();
    for _ in 0..3 {
        read(&client).await.unwrap();
    }
    assert_eq!(sign_ins(&played), 1);
}

#[tokio::test]
async fn a_token_that_ends_on_the_way_is_replaced_and_the_call_sent_again() {
    let (mut options, played) = server_taking(1).await;
    options.token = Some(Secret::new("t0"));
    let client = Client::new(options).unwrap();
    read(&client).await.unwrap();
    read(&client).await.unwrap();
    assert_eq!(sign_ins(&played), 1);
}

#[tokio::test]
async fn a_server_that_takes_no_token_is_not_asked_for_ever() {
    let (options, played) = server_taking(u32::MAX).await;
    let client = Client::new(options.clone()).unwrap();
    let refused = read(&client).await.unwrap_err();
    assert_eq!(refused.api().unwrap().code, EXPIRED);
    assert_eq!(sign_ins(&played), 1);
    // Nobody is there to sign in again.
    let mut options = options;
    (options.token, options.service_principal) = (Some(Secret::new("t0")), None);
    let refused = read(&Client::new(options).unwrap()).await.unwrap_err();
    assert_eq!(refused.api().unwrap().code, EXPIRED);
    assert_eq!(sign_ins(&played), 1);
}
