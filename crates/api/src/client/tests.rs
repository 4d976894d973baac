//! The client against a small server that plays the parts of ours, and those of a broken one.

mod device;
mod operations;
mod sign_in;
mod trust;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::id::Group;
use super::*;

use crate::instance::TriggerBackupRequest;
use crate::resource_group::ResourceGroup;
use crate::vault::{BackupVault, BackupVaultResource};

/// No test waits: the server's `Retry-After` is 0, and so are our own pauses, or nearly.
const QUICK: Pace = Pace {
    retry: Duration::from_millis(1),
    poll: Duration::from_millis(1),
    outage: Duration::from_millis(1),
};

type Script = dyn Fn(u32, &Request) -> Response + Send + Sync;

struct Played {
    script: Box<Script>,
    calls: AtomicU32,
    seen: Mutex<Vec<String>>,
}

/// Starts a server on a free port that answers the n-th call (from 0) by `script`.
async fn server(
    script: impl Fn(u32, &Request) -> Response + Send + Sync + 'static,
) -> (Client, Arc<Played>) {
    let played = Arc::new(Played {
        script: Box::new(script),
        calls: AtomicU32::new(0),
        seen: Mutex::new(Vec::new()),
    });
    let router = Router::new().fallback(answer).with_state(played.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut options = ClientOptions::new(format!("http://{address}"));
    options.token = Some(Secret::new("t0ken"));
    options.pace = QUICK;
    (Client::new(options).unwrap(), played)
}

async fn answer(State(played): State<Arc<Played>>, request: Request) -> Response {
    let number = played.calls.fetch_add(1, Ordering::SeqCst);
    played
        .seen
        .lock()
        .unwrap()
        .push(format!("{} {}", request.method(), request.uri()));
    (played.script)(number, &request)
}

fn json_answer(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    (
        StatusCode::from_u16(status).unwrap(),
        map,
        axum::Json(body.clone()),
    )
        .into_response()
}

fn group() -> Group {
    Group {
        subscription: "s".into(),
        name: "rg".into(),
    }
}

fn vault() -> BackupVaultResource {
    BackupVaultResource {
        location: Some("westeurope".into()),
        ..BackupVaultResource::of(BackupVault::default())
    }
}

#[tokio::test]
async fn a_get_carries_token_and_version() {
    let (client, played) = server(|_, request| {
        assert_eq!(request.headers()["authorization"], "Bearer t0ken");
        json_answer(200, &[], &json!({"name": "v", "properties": {}}))
    })
    .await;
    let vault = client.vaults(&group()).get("v one").await.unwrap();
    assert_eq!(vault.name.as_deref(), Some("v"));
    let expected = "GET /subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v%20one?api-version=2026-06-01";
    assert_eq!(*played.seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn names_that_would_lead_elsewhere_are_refused_before_anything_is_sent() {
    let (client, played) = server(|_, _| json_answer(200, &[], &json!({}))).await;
    for name in ["", ".", "..", "a/b", "a/../b", "a//b"] {
        let error = client.vaults(&group()).delete(name).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Settings { .. }),
            "{name}: {error}"
        );
    }
    assert!(played.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_error_keeps_what_the_server_said() {
    let (client, _) = server(|_, _| {
        let body = json!({"error": {"code": "ResourceInUse", "message": "in use", "target": "backupPolicies/p", "details": [{"code": "X", "message": "by i"}]}});
        json_answer(409, &[("x-ms-error-code", "ResourceInUse"), ("x-ms-request-id", "r-1")], &body)
    })
    .await;
    let error = client
        .policies(&group().vault("v"))
        .delete("p")
        .await
        .unwrap_err();
    let api = error.api().unwrap();
    assert_eq!(
        (api.status, api.code.as_str(), api.message.as_str()),
        (409, "ResourceInUse", "in use")
    );
    assert_eq!(api.target.as_deref(), Some("backupPolicies/p"));
    assert_eq!(api.details[0].message, "by i");
    assert_eq!(api.request_id.as_deref(), Some("r-1"));
    assert!(!error.is_transient() && !error.is_not_found());
}

#[tokio::test]
async fn an_error_without_an_envelope_still_has_a_code() {
    let (client, _) = server(|_, _| (StatusCode::FORBIDDEN, "<html>").into_response()).await;
    let error = client.subscriptions().get("s").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Http403: the server answered 403 without saying why"
    );
}

#[tokio::test]
async fn a_get_is_repeated_until_the_server_is_back() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(
            503,
            &[("retry-after", "0")],
            &json!({"error": {"code": "ServiceUnavailable", "message": "m"}}),
        ),
        1 => json_answer(429, &[], &json!({})),
        _ => json_answer(200, &[], &json!({"properties": {}})),
    })
    .await;
    client.vaults(&group()).get("v").await.unwrap();
    assert_eq!(played.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn repeats_are_bounded_and_a_long_retry_after_is_not_waited_for() {
    let (client, played) = server(|_, _| json_answer(500, &[], &json!({}))).await;
    assert_eq!(
        client.vaults(&group()).get("v").await.unwrap_err().status(),
        Some(500)
    );
    assert_eq!(played.calls.load(Ordering::SeqCst), 4);
    let (client, played) =
        server(|_, _| json_answer(503, &[("retry-after", "3600")], &json!({}))).await;
    assert_eq!(
        client.vaults(&group()).get("v").await.unwrap_err().status(),
        Some(503)
    );
    assert_eq!(played.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_post_is_repeated_only_when_the_server_did_nothing() {
    let (client, played) = server(|_, _| json_answer(500, &[], &json!({}))).await;
    client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap_err();
    assert_eq!(played.calls.load(Ordering::SeqCst), 1);
    let (client, played) = server(|call, _| match call {
        0 => json_answer(429, &[("retry-after", "0")], &json!({})),
        _ => json_answer(
            200,
            &[],
            &json!({"objectType": "OperationJobExtendedInfo", "jobId": "/j"}),
        ),
    })
    .await;
    let started = client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap();
    assert_eq!(started.job_id().await.unwrap().as_deref(), Some("/j"));
    assert_eq!(played.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn pages_are_followed_on_the_configured_server() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(200, &[], &json!({"value": [{"name": "a"}], "nextLink": "https://elsewhere.example/subscriptions/s/resourcegroups?api-version=x&$skiptoken=2"})),
        _ => json_answer(200, &[], &json!({"value": [{"name": "b"}]})),
    })
    .await;
    let groups: Vec<ResourceGroup> = client
        .resource_groups("s")
        .list()
        .unwrap()
        .all()
        .await
        .unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        played.seen.lock().unwrap()[1],
        "GET /subscriptions/s/resourcegroups?api-version=x&$skiptoken=2"
    );
}

#[tokio::test]
async fn a_list_that_goes_in_circles_ends() {
    let (client, _) = server(|_, request| {
        let next = format!("http://x{}", request.uri());
        json_answer(200, &[], &json!({"value": [], "nextLink": next}))
    })
    .await;
    let error = client
        .subscriptions()
        .list()
        .unwrap()
        .all()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("circles"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut options = ClientOptions::new(format!("http://{address}"));
    options.pace = QUICK;
    let client = Client::new(options).unwrap();
    let error = client.subscriptions().get("s").await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}
