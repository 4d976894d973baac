//! What stands in an address: names at and beyond their limits, and tricks that would make of one id another.

use axum::body::Body;
use axum::http::{Method, Uri};
use serde_json::{Value, json};
use strongroom_core::name::NameKind;

use crate::http::routes;
use crate::testing::protection::Protected;
use crate::testing::{Answer, Harness, SUBSCRIPTION};

use super::example;

/// A name, percent-encoded as clients do it.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What a name must not be, encoded where a client would have to.
fn tricks() -> Vec<String> {
    let mut tricks: Vec<String> = [
        "..",
        ".",
        "%2e%2e",
        "%2E%2e%2F",
        "%2F",
        "a%2Fb",
        "a%2fbackupVaults%2fb",
        "%5C",
        "a%5Cb",
        "..%5C..",
        "%00",
        "a%00b",
        "%0A",
        "a%0d%0ab",
        "%7f",
        "%C2%85",
        "%ff",
        "%C0%AF",
        "%E0%80%AF",
        "%ED%A0%80",
        "%252F",
        "%252e%252e",
        "%3F",
        "%23",
        "a%20b",
        "%20",
        "a;b",
        "..;",
        "a:b",
        "a@b",
        "a'b",
        "a%22b",
        "a%3Cb",
        "a%7Bb",
        "{vault}",
        "*",
        "$",
        "%E2%80%AE",
        "%EF%BC%8F",
        "%E2%88%95",
        "%F0%9F%98%80",
        "%EF%BB%BF",
    ]
    .map(str::to_owned)
    .to_vec();
    tricks.push("a".repeat(300));
    tricks.push(encoded(&"ä".repeat(300)));
    tricks
}

async fn sent(harness: &Harness, method: &Method, path: &str, body: &Value) -> Option<Answer> {
    let request = harness
        .request(method.as_str(), path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    // What is no address at all never reaches a server.
    Some(harness.send(request.ok()?).await)
}

/// Tricks that one placeholder of a route gets: no divisor of how many there are, so that each meets all
/// kinds of places.
const TRICKS_AT_ONCE: usize = 5;

#[tokio::test]
async fn no_trick_in_an_address_makes_anything_or_breaks_anything() {
    let harness = Harness::new().await;
    harness.vault_path().await;
    let body = json!({"location": "westeurope", "properties": {}});
    let mut walked = 0;
    // Each placeholder of each route gets a few tricks, and all of them together get all, many times.
    let tricks = tricks();
    let mut turn = tricks.iter().cycle();
    for route in routes() {
        let words: Vec<&str> = route.path.split('/').collect();
        for (at, _) in words
            .iter()
            .enumerate()
            .filter(|(_, word)| word.starts_with('{'))
        {
            for trick in turn.by_ref().take(TRICKS_AT_ONCE) {
                let good = example(route.path);
                let mut parts: Vec<&str> = good.split('/').collect();
                parts[at] = trick;
                let path = parts.join("/");
                for (method, _) in &route.methods {
                    let Some(answer) = sent(&harness, method, &path, &body).await else {
                        continue;
                    };
                    assert!(answer.status < 500, "{method} {path}: {}", answer.text);
                    assert!(
                        *method != Method::PUT || answer.status >= 400,
                        "{method} {path}: {}",
                        answer.text
                    );
                    walked += 1;
                }
            }
        }
    }
    assert!(walked > 10 * tricks.len(), "{walked}");
    let groups = harness.get(&format!("{SUBSCRIPTION}/resourceGroups")).await;
    assert_eq!(
        groups.json()["value"].as_array().unwrap().len(),
        1,
        "{}",
        groups.text
    );
}

#[tokio::test]
async fn nothing_is_read_of_a_subscription_that_is_not_there() {
    let harness = Harness::new().await;
    let mut walked = 0;
    for route in routes() {
        let is_read = route
            .methods
            .iter()
            .any(|(method, _)| *method == Method::GET);
        // What rights hold at a scope is known of whatever scope.
        let is_of_rights = route.path.contains("/Microsoft.Authorization/");
        if !is_read || is_of_rights || !route.path.contains("{subscription}") {
            continue;
        }
        for name in ["not-there".to_owned(), long(65)] {
            let path = example(&route.path.replace("{subscription}", &name));
            let answer = harness.get(&path).await;
            assert!(
                [400, 404].contains(&answer.status),
                "{path}: {}",
                answer.text
            );
            walked += 1;
        }
    }
    assert!(walked > 50, "{walked}");
}

#[tokio::test]
async fn an_encoded_name_is_the_name_and_no_other() {
    let harness = Harness::new().await;
    let vault = harness.vault().await;
    let read = harness.get(&vault).await.json();
    let name = vault.rsplit('/').next().unwrap();
    let of = |name: &str| format!("{}/{name}", vault.rsplit_once('/').unwrap().0);
    for same in [encoded(name), name.to_uppercase(), name.replace('v', "%76")] {
        assert_eq!(harness.get(&of(&same)).await.json(), read, "{same}");
    }
    for other in [
        format!("{name}%20"),
        format!("%76{name}"),
        format!("{name}%2E"),
    ] {
        assert_eq!(harness.get(&of(&other)).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn letters_that_fold_to_the_same_are_one_name() {
    let harness = Harness::new().await;
    let group = |name: &str| format!("{SUBSCRIPTION}/resourceGroups/{}", encoded(name));
    let body = json!({"location": "westeurope"});
    // The Kelvin sign is a K in capital letters, and a k in small ones.
    for (first, second) in [("straße-k", "STRAßE-K"), ("k", "\u{212a}"), ("é", "É")] {
        assert_eq!(harness.put(&group(first), body.clone()).await.status, 201);
        let again = harness.put(&group(second), body.clone()).await;
        assert_eq!(again.status, 200, "{second}: {}", again.text);
    }
    // An accent of its own is another name, and no letter.
    let refused = harness.put(&group("e\u{301}"), body).await;
    assert_eq!(refused.refusal(), (400, "InvalidResourceName".to_owned()));
}

/// A name of so many characters that fits every rule.
fn long(characters: usize) -> String {
    "a".repeat(characters)
}

/// Collections that names are made in, with a document that fits each.
fn collections(it: &Protected) -> [(NameKind, String, Value); 9] {
    let beside = |path: &str| path.rsplit_once('/').unwrap().0.to_owned();
    let located = |properties: Value| json!({"location": "westeurope", "properties": properties});
    let group = it.vault.split("/providers/").next().unwrap().to_owned();
    let account = it.container.split("/blobServices/").next().unwrap();
    let guards = format!("{group}/providers/Microsoft.DataProtection/resourceGuards");
    let shallow = {
        let mut instance = it.instance_document();
        instance["validationType"] = json!("ShallowValidation");
        json!({ "properties": instance })
    };
    [
        (NameKind::ResourceGroup, beside(&group), located(json!({}))),
        (
            NameKind::BackupVault,
            beside(&it.vault),
            crate::app::vaults::example(),
        ),
        (
            NameKind::BackupPolicy,
            beside(&it.policy),
            crate::app::policies::example(),
        ),
        (NameKind::ResourceGuard, guards, located(json!({}))),
        (
            NameKind::StorageAccount,
            beside(account),
            located(json!({})),
        ),
        (
            NameKind::BlobContainer,
            beside(&it.container),
            json!({"properties": {}}),
        ),
        (
            NameKind::Cluster,
            beside(&it.cluster),
            located(json!({"kubeconfig": crate::testing::KUBECONFIG})),
        ),
        (
            NameKind::TrustedAccessRoleBinding,
            beside(&it.binding),
            it.binding_document(),
        ),
        (NameKind::BackupInstance, beside(&it.instance), shallow),
    ]
}

#[tokio::test]
async fn names_at_their_limits_are_made_and_beyond_them_are_refused() {
    let it = Protected::new().await;
    for (kind, collection, body) in collections(&it) {
        let (min, max) = (kind.min_chars(), kind.max_chars());
        for name in [long(min), long(max)] {
            // The cluster and its instance are there already; one cluster has one instance of a policy.
            let path = format!("{collection}/{name}");
            let answer = it.harness.put(&path, body.clone()).await;
            let is_taken = answer.status == 409;
            assert!(
                answer.status < 300 || is_taken,
                "{kind} {name}: {}",
                answer.text
            );
        }
        let mut bad = vec![long(max + 1), "a b".to_owned(), "a\u{e9}\u{301}".to_owned()];
        bad.extend((min > 1).then(|| long(min - 1)));
        if kind != NameKind::TrustedAccessRoleBinding && kind != NameKind::ResourceGroup {
            bad.push(format!("-{}", long(min)));
        }
        for name in bad {
            let path = format!("{collection}/{}", encoded(&name));
            let answer = it.harness.put(&path, body.clone()).await;
            assert_eq!(
                answer.refusal(),
                (400, "InvalidResourceName".to_owned()),
                "{kind} {name}"
            );
        }
    }
}

#[tokio::test]
async fn names_that_are_words_of_addresses_are_names_all_the_same() {
    let harness = Harness::new().await;
    let path = "/subscriptions/resourceGroups/resourceGroups/providers";
    let body = json!({"location": "westeurope"});
    let made = harness.put(path, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["name"], "providers");
    let vault = format!("{path}/providers/Microsoft.DataProtection/backupVaults/backupVaults");
    let made = harness.put(&vault, crate::app::vaults::example()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["id"], vault.as_str());
    assert_eq!(harness.get(&vault).await.json()["name"], "backupVaults");
    assert!(vault.parse::<Uri>().is_ok());
}
