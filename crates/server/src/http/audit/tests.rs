//! Each write and each denial leaves one entry, whichever route it came by.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::audit::{Entry, Head, Outcome, Verifier};
use strongroom_core::authorization::{OWNER, READER};
use uuid::Uuid;

use super::*;
use crate::http::route::{Access, Reach};
use crate::http::routes;
use crate::testing::Harness;
use crate::testing::protection::{Protected, adhoc};

const ME: Uuid = Uuid::from_u128(42);

fn example(path: &str) -> String {
    path.split('/')
        .map(|word| if word.starts_with('{') { "x1" } else { word })
        .collect::<Vec<_>>()
        .join("/")
}

async fn log(harness: &Harness) -> Vec<Entry> {
    let mut session = harness.app.store.read().await.unwrap();
    let page = session.audit_entries(0, 100_000).await.unwrap();
    assert!(!page.more);
    let mut verifier = Verifier::new().following(Head::beginning());
    for entry in &page.rows {
        verifier.read(entry).unwrap();
    }
    page.rows
}

/// The entries that a call leaves.
async fn of<T>(harness: &Harness, call: impl Future<Output = T>) -> (T, Vec<Event>) {
    let before = log(harness).await.len();
    let answer = call.await;
    let entries = log(harness).await.split_off(before);
    (
        answer,
        entries.into_iter().map(|entry| entry.event).collect(),
    )
}

/// The one entry that a call leaves.
async fn one<T>(harness: &Harness, call: impl Future<Output = T>) -> (T, Event) {
    let (answer, mut entries) = of(harness, call).await;
    assert_eq!(entries.len(), 1, "{entries:#?}");
    (answer, entries.remove(0))
}

#[tokio::test]
async fn every_denied_call_of_every_route_has_one_entry() {
    let harness = Harness::new().await;
    let mut walked = 0;
    for route in routes() {
        for (method, action) in &route.methods {
            if route.access == Access::Open {
                continue;
            }
            let path = example(route.path);
            // The clock goes on, so that those of nobody known do not come too thick.
            harness.clock.advance(UNKNOWN_CALLERS_WITHIN);
            let call = harness.anonymous(method.as_str(), &path);
            let (answer, event) = one(&harness, call).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            let told = (event.action.as_str(), event.outcome, event.status);
            assert_eq!(
                told,
                (action.0, Outcome::Denied, Some(401)),
                "{method} {path}"
            );
            assert_eq!((event.caller, event.scope.as_str()), (None, path.as_str()));
            if route.reach == Reach::Anyone {
                continue;
            }
            let call = harness.call_as(ME, method.as_str(), &path, None);
            let (answer, event) = one(&harness, call).await;
            assert_eq!(answer.status, 403, "{method} {path}");
            assert_eq!(event.outcome, Outcome::Denied, "{method} {path}");
            assert_eq!(event.action, action.0, "{method} {path}");
            assert_eq!(event.code.as_deref(), Some("AuthorizationFailed"));
            assert_eq!(event.caller.unwrap().object_id, ME, "{method} {path}");
            assert_eq!(event.request_id, answer.header("x-ms-request-id"));
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
}

#[tokio::test]
async fn every_call_of_every_route_that_may_write_has_one_entry_and_reading_has_none() {
    let harness = Harness::new().await;
    harness.assign(OWNER, ME, "").await;
    for route in routes() {
        for (method, action) in &route.methods {
            let path = example(route.path);
            let call = harness.call_as(ME, method.as_str(), &path, Some(json!({})));
            let (answer, events) = of(&harness, call).await;
            if method == Method::GET {
                // The links to exports prove themselves, and an example of one proves nothing.
                let denied = usize::from(matches!(answer.status, 401 | 403));
                assert_eq!(events.len(), denied, "{method} {path}: {events:#?}");
                continue;
            }
            assert_eq!(events.len(), 1, "{method} {path}: {events:#?}");
            assert_eq!(events[0].action, action.0, "{method} {path}");
            let written = events[0].outcome == Outcome::Written;
            assert!(
                written || events[0].status == Some(answer.status),
                "{events:#?}"
            );
        }
    }
}

#[tokio::test]
async fn what_writes_says_that_it_wrote_and_what_it_left_behind_is_not_the_callers() {
    let it = Protected::new().await;
    let harness = &it.harness;
    // What the harness set up: one entry for each call, in whatever order the routes commit.
    let mut by_action: BTreeMap<String, usize> = BTreeMap::new();
    for entry in log(harness).await {
        assert_eq!(entry.event.outcome, Outcome::Written, "{entry:#?}");
        assert_eq!(entry.event.caller.as_ref().unwrap().name, "admin");
        *by_action.entry(entry.event.action).or_default() += 1;
    }
    let vaults = by_action["Microsoft.DataProtection/backupVaults/write"];
    let instances = by_action["Microsoft.DataProtection/backupVaults/backupInstances/write"];
    assert_eq!((vaults, instances), (1, 1), "{by_action:#?}");

    let (answer, event) = one(harness, it.post("backup", adhoc())).await;
    assert_eq!(answer.status, 202);
    assert_eq!(event.outcome, Outcome::Written);
    assert_eq!(event.scope, format!("{}/backup", it.instance));
    // The job writes much, and nobody called for it.
    let ((), events) = of(harness, it.extension_backs_up()).await;
    assert!(events.is_empty(), "{events:#?}");
    // A repeated PUT commits, an impossible one does not.
    let again = harness.put(&it.policy, crate::app::policies::example());
    assert_eq!(one(harness, again).await.1.outcome, Outcome::Written);
    let (answer, event) = one(harness, harness.put(&it.policy, json!({}))).await;
    assert_eq!(answer.status, 400);
    assert_eq!((event.outcome, event.status), (Outcome::Refused, Some(400)));
    let nowhere = format!("{}/none", it.vault);
    let other = harness.call("POST", &nowhere, None);
    let (_, events) = of(harness, other).await;
    assert!(events.is_empty(), "there is no such route: {events:#?}");
    let (_, event) = one(harness, harness.delete(&it.vault)).await;
    assert_eq!(event.code.as_deref(), Some("ResourceInUse"));
}

#[tokio::test]
async fn a_store_that_takes_no_entry_lets_nothing_pass() {
    let harness = Harness::new().await;
    let group = harness.vault_path().await;
    let group = group.split("/providers").next().unwrap().to_owned();
    // Somebody took the table away.
    harness.break_audit_log().await;
    let refused = harness
        .put(
            &group,
            json!({"location": "westeurope", "tags": {"a": "b"}}),
        )
        .await;
    assert!(refused.status >= 500, "{}", refused.text);
    let read = harness.get(&group).await;
    assert_eq!(read.status, 200);
    assert!(!read.text.contains("\"a\""), "{}", read.text);
    // What only answers is not answered either.
    let path = format!(
        "{}/providers/Microsoft.DataProtection/locations/westeurope/checkNameAvailability",
        group
    );
    let body = json!({"name": "vault", "type": "Microsoft.DataProtection/BackupVaults"});
    let refused = harness.call("POST", &path, Some(body)).await;
    assert_eq!(refused.refusal(), (503, "ServiceUnavailable".to_owned()));
}

#[tokio::test]
async fn calls_of_nobody_known_are_counted_once_they_come_too_thick() {
    let harness = Harness::new().await;
    for _ in 0..UNKNOWN_CALLERS_LISTED + 7 {
        assert_eq!(harness.anonymous("GET", "/subscriptions").await.status, 401);
    }
    let listed = usize::try_from(UNKNOWN_CALLERS_LISTED).unwrap();
    assert_eq!(log(&harness).await.len(), listed);
    // Those who are known are not in that count.
    harness.assign(READER, ME, "").await;
    harness
        .call_as(ME, "DELETE", "/subscriptions/s/resourceGroups/x", None)
        .await;
    assert_eq!(log(&harness).await.len(), listed + 2);
    harness.clock.advance(UNKNOWN_CALLERS_WITHIN);
    let (_, event) = one(&harness, harness.anonymous("GET", "/subscriptions")).await;
    assert_eq!(event.unlisted, 7);
    let (_, event) = one(&harness, harness.anonymous("GET", "/subscriptions")).await;
    assert_eq!(event.unlisted, 0);
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_says_where_it_begins_and_ends() {
    let harness = Harness::new().await;
    harness.vault().await;
    let entries = "/providers/Strongroom.Administration/auditEntries";
    let query = "api-version=2026-06-01&$top=1";
    let first = harness.get(&format!("{entries}?{query}")).await.json();
    assert_eq!(first["value"][0]["sequence"], 1);
    let link = first["nextLink"].as_str().unwrap();
    let link = link.strip_prefix("https://localhost:8443").unwrap();
    let second = harness.get(link).await.json();
    assert_eq!(second["value"][0]["sequence"], 2);
    assert_eq!(second["value"][0]["previous"], first["value"][0]["hash"]);
    let rest = format!("{entries}?api-version=2026-06-01&after=2");
    assert_eq!(harness.get(&rest).await.json()["value"], json!([]));
    let wrong = format!("{entries}?api-version=2026-06-01&after=x");
    assert_eq!(
        harness.get(&wrong).await.refusal().1,
        "InvalidQueryParameterValue"
    );
    let log = harness
        .get("/providers/Strongroom.Administration/auditLog")
        .await
        .json();
    assert_eq!(log["base"]["sequence"], 0);
    assert_eq!(log["head"]["hash"], second["value"][0]["hash"]);
    // What is told is what the client knows.
    let read: strongroom_api::audit::AuditEntry =
        serde_json::from_value(first["value"][0].clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), first["value"][0]);
    let text = serde_json::to_string(&first).unwrap();
    assert!(!text.contains(crate::testing::TOKEN));
}

#[tokio::test]
async fn secrets_and_bodies_are_not_in_it() {
    let harness = Harness::new().await;
    let cluster = harness
        .cluster("Microsoft.Kubernetes/connectedClusters")
        .await;
    harness.delete(&cluster).await;
    let all: Vec<Value> = log(&harness)
        .await
        .iter()
        .map(|entry| json!(entry))
        .collect();
    let text = json!(all).to_string();
    assert!(
        !text.contains("hush-hush") && !text.contains("srm_"),
        "{text}"
    );
}
