//! Service principals from the command line: a secret is shown once, and never stored.

use clap::Parser as _;
use serde_json::json;

use super::{Answer, Program, Stage, ok, stage};
use crate::exit_code;

const CLIENT: &str = "00000000-0000-0000-0000-00000000c11e";
const TENANT: &str = "00000000-0000-0000-0000-000000000007";

fn principal(name: &str) -> serde_json::Value {
    json!({"name": CLIENT, "properties": {
        "displayName": name, "appId": CLIENT, "objectId": "00000000-0000-0000-0000-00000000000b",
        "passwordCredentials": [{
            "keyId": "k", "hint": "srs_abc",
            "startDateTime": "2026-01-02T03:04:05Z", "endDateTime": "2026-07-01T03:04:05Z",
        }],
    }})
}

fn script(method: &str, path: &str) -> Option<Answer> {
    let token = format!("/{TENANT}/oauth2/v2.0/token");
    match (method, path) {
        ("GET", path) if path.ends_with("/servicePrincipals") => {
            ok(json!({"value": [principal("nightly")]}))
        }
        ("POST", path) if path.ends_with("/resetSecret") => ok(json!({
            "keyId": "k", "secretText": "srs_whole", "appId": CLIENT, "tenantId": TENANT,
            "endDateTime": "2026-07-01T03:04:05Z",
        })),
        ("PUT" | "GET" | "DELETE", path) if path.contains("/servicePrincipals/") => {
            ok(principal("nightly"))
        }
        ("POST", path) if path == token => {
            ok(json!({"token_type": "Bearer", "access_token": "a.b.c", "expires_in": 3600}))
        }
        ("GET", "/subscriptions") => ok(json!({"value": [{"subscriptionId": "s"}]})),
        _ => None,
    }
}

fn with_principal() -> Stage {
    stage(script).logged_in()
}

#[test]
fn a_secret_is_shown_once_and_a_list_shows_its_beginning() {
    let stage = with_principal();
    for words in [
        "service-principal create nightly",
        "service-principal reset-secret nightly --append",
    ] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
        assert!(outcome.out.contains("srs_whole"), "{outcome}");
        assert!(outcome.err.contains("not shown again"), "{outcome}");
    }
    let listed = stage.run("service-principal list");
    assert_eq!(listed.code, exit_code::SUCCESS, "{listed}");
    insta::assert_snapshot!(listed.out);
    let unknown = stage.run("service-principal delete hourly");
    assert_eq!(unknown.code, exit_code::NOT_FOUND, "{unknown}");
    let deleted = stage.run("service-principal delete nightly");
    assert_eq!(deleted.code, exit_code::SUCCESS, "{deleted}");
}

#[test]
fn a_service_principal_logs_in_with_a_secret_that_is_not_kept() {
    let stage = with_principal();
    let secret = stage.file("secret", "srs_whole\n");
    let words = format!(
        "login --server {} --name program --service-principal {CLIENT} --tenant {TENANT} --client-secret-file {secret}",
        stage.url
    );
    let outcome = stage.run(&words);
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    assert!(
        outcome.err.contains("as long as its secret is in"),
        "{outcome}"
    );
    let stored = std::fs::read_to_string(stage.config()).unwrap();
    assert!(stored.contains("token: a.b.c"), "{stored}");
    assert!(!stored.contains("srs_whole"), "{stored}");
    assert!(
        stored.contains(&format!("clientSecretFile: {secret}")),
        "{stored}"
    );
}

#[test]
fn a_service_principal_without_its_secret_or_tenant_says_what_is_missing() {
    let half = ["strongroom", "login", "--service-principal", CLIENT];
    let error = Program::try_parse_from(half).unwrap_err();
    assert_eq!(error.exit_code(), i32::from(exit_code::USAGE));
    assert!(
        error.to_string().contains("--client-secret-file"),
        "{error}"
    );
}
