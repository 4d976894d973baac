//! The rules that hold for every route.

mod addresses;
mod bodies;
mod races;
mod sdk_models;
mod sdk_operations;
mod settings;

use axum::body::Body;
use axum::http::Request;

use super::route::{Access, Versions};
use super::{limits, routes};
use crate::testing::{Harness, TOKEN, VERSION};

/// A route's address with a name for each placeholder.
fn example(path: &str) -> String {
    path.split('/')
        .map(|word| if word.starts_with('{') { "x1" } else { word })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_of_the_contract_refuses_without_a_token() {
    let harness = Harness::new().await;
    let mut walked = 0;
    for route in routes()
        .iter()
        .filter(|route| route.access == Access::Token)
    {
        for (method, action) in &route.methods {
            let answer = harness
                .anonymous(method.as_str(), &example(route.path))
                .await;
            assert_eq!(
                answer.refusal(),
                (401, "AuthenticationFailed".to_owned()),
                "{method} {}",
                route.path
            );
            assert!(answer.header("www-authenticate").starts_with("Bearer "));
            assert!(
                action.0.contains('/'),
                "{method} {} has no action",
                route.path
            );
            walked += 1;
        }
    }
    assert!(walked > 10);
}

#[tokio::test]
async fn every_route_of_the_contract_needs_a_version() {
    let harness = Harness::new().await;
    for route in routes()
        .iter()
        .filter(|route| route.versions != Versions::None)
    {
        for (method, _) in &route.methods {
            for (query, code) in [
                ("?a=b", "MissingApiVersionParameter"),
                ("?api-version=", "MissingApiVersionParameter"),
                ("?api-version=latest", "InvalidApiVersionParameter"),
            ] {
                let path = format!("{}{query}", example(route.path));
                let answer = harness.call(method.as_str(), &path, None).await;
                assert_eq!(answer.refusal(), (400, code.to_owned()), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn open_routes_are_exactly_the_probes_and_what_proves_itself() {
    let open: Vec<&str> = routes()
        .iter()
        .filter(|route| route.access == Access::Open)
        .map(|route| route.path)
        .collect();
    assert_eq!(
        open,
        [
            "/healthz",
            "/readyz",
            "/{tenant}/oauth2/v2.0/token",
            "/{tenant}/oauth2/token",
            "/{tenant}/v2.0/.well-known/openid-configuration",
            "/{tenant}/discovery/v2.0/keys",
            "/.well-known/oauth-protected-resource",
            "/exports/{operation}/{file}",
            "/metadata/endpoints",
            "/openapi.json"
        ]
    );
}

#[tokio::test]
async fn no_two_routes_have_the_same_address() {
    let mut paths: Vec<String> = routes()
        .iter()
        .map(|route| example(route.path).to_lowercase())
        .collect();
    let count = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), count);
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_refused_whatever_its_form() {
    let harness = Harness::new().await;
    for (value, code) in [
        ("Bearer wrong", "InvalidAuthenticationToken"),
        ("Bearer srm_test extra", "InvalidAuthenticationToken"),
        ("Bearer SRM_TEST", "InvalidAuthenticationToken"),
        ("Bearer ", "InvalidAuthenticationToken"),
        ("Bearer", "AuthenticationFailed"),
        ("Basic c3JtX3Rlc3Q=", "AuthenticationFailed"),
        (TOKEN, "AuthenticationFailed"),
        (
            &format!("Bearer {}", "a".repeat(20_000)),
            "AuthenticationFailed",
        ),
    ] {
        let request = Request::get(format!("/subscriptions?{VERSION}"))
            .header("authorization", value)
            .body(Body::empty())
            .unwrap();
        let answer = harness.send(request).await;
        assert_eq!(answer.refusal(), (401, code.to_owned()), "{value:.40}");
        assert!(answer.header("www-authenticate").starts_with("Bearer "));
    }
    let request = Request::get(format!("/subscriptions?{VERSION}"))
        .header("authorization", format!("bearer {TOKEN}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        harness.send(request).await.status,
        200,
        "the scheme's case does not matter"
    );
}

#[tokio::test]
async fn unknown_addresses_and_methods_have_their_own_codes() {
    let harness = Harness::new().await;
    for path in [
        "/",
        "/nothing",
        "/subscriptions/x/y",
        "//subscriptions",
        "/subscriptions/x%2Fy/resourceGroups/z/w",
    ] {
        assert_eq!(
            harness.get(path).await.refusal(),
            (404, "NotFound".to_owned()),
            "{path}"
        );
    }
    let answer = harness.call("POST", "/subscriptions", None).await;
    assert_eq!(answer.refusal(), (405, "MethodNotAllowed".to_owned()));
    assert_eq!(harness.anonymous("GET", "/nothing").await.status, 401);
    let long = format!("/{}", "x".repeat(limits::MAX_URI_BYTES));
    assert_eq!(harness.get(&long).await.refusal().1, "InvalidResourceId");
}

#[tokio::test]
async fn a_body_that_is_no_acceptable_json_is_refused_before_it_is_understood() {
    let harness = Harness::new().await;
    let path = harness.vault_path().await;
    let json = "application/json";
    let large = format!("\"{}\"", "x".repeat(limits::MAX_BODY_BYTES));
    let deep = "[".repeat(10_000);
    let cases: [(&str, &str, u16, &str); 9] = [
        (json, "{", 400, "InvalidRequestContent"),
        (json, "", 400, "InvalidRequestContent"),
        (json, "null", 400, "InvalidRequestContent"),
        (json, "{}{}", 400, "InvalidRequestContent"),
        (json, "\u{feff}{}", 400, "InvalidRequestContent"),
        (json, &deep, 400, "InvalidRequestContent"),
        (json, &large, 413, "RequestEntityTooLarge"),
        ("text/plain", "{}", 415, "InvalidContentType"),
        (
            "application/x-www-form-urlencoded",
            "a=b",
            415,
            "InvalidContentType",
        ),
    ];
    for (kind, body, status, code) in cases {
        for declared in [true, false] {
            let mut request = harness.request("PUT", &path).header("content-type", kind);
            if declared {
                request = request.header("content-length", body.len());
            }
            let answer = harness
                .send(request.body(Body::from(body.to_owned())).unwrap())
                .await;
            assert_eq!(
                answer.refusal(),
                (status, code.to_owned()),
                "{kind} {body:.20}"
            );
        }
    }
}

#[tokio::test]
async fn ids_of_a_request_are_given_back() {
    let harness = Harness::new().await;
    let request = harness
        .request("GET", "/subscriptions")
        .header("x-ms-correlation-request-id", "c-1")
        .header("x-ms-client-request-id", "k-1")
        .body(Body::empty())
        .unwrap();
    let answer = harness.send(request).await;
    assert_eq!(answer.header("x-ms-correlation-request-id"), "c-1");
    assert_eq!(answer.header("x-ms-client-request-id"), "k-1");
    assert!(uuid::Uuid::parse_str(answer.header("x-ms-request-id")).is_ok());
}

/// A router with routes that misbehave, below the outermost layer.
fn misbehaving(harness: &Harness) -> axum::Router {
    use super::correlation::{Correlation, correlate};
    let limit = std::time::Duration::from_millis(20);
    axum::Router::new()
        .route(
            "/panic",
            axum::routing::get(async || -> &'static str { panic!("the inside story") }),
        )
        .route(
            "/hang",
            axum::routing::get(std::future::pending::<&'static str>),
        )
        .layer(axum::middleware::from_fn_with_state(
            Correlation {
                app: std::sync::Arc::clone(&harness.app),
                limit,
            },
            correlate,
        ))
}

#[tokio::test]
async fn a_panic_becomes_a_500_without_the_inside_story() {
    let mut harness = Harness::new().await;
    harness.router = misbehaving(&harness);
    let answer = harness.get("/panic").await;
    assert_eq!(answer.refusal(), (500, "InternalServerError".to_owned()));
    assert!(!answer.text.contains("inside story"), "{}", answer.text);
    assert!(!answer.header("x-ms-request-id").is_empty());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_to_come_back() {
    let mut harness = Harness::new().await;
    harness.router = misbehaving(&harness);
    let answer = harness.get("/hang").await;
    assert_eq!(answer.refusal(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), "2");
}
