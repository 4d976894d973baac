//! What comes at the same time ends as if it had come one after the other, and whoever lost is told so.

use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use serde_json::{Value, json};

use crate::store::Rows;
use crate::testing::protection::{Protected, adhoc};
use crate::testing::{Answer, Harness};

/// How often each pair is sent: who comes first differs, as their steps mix.
const ROUNDS: usize = 6;

async fn put_if(harness: &Harness, path: &str, etag: &str, body: &Value) -> Answer {
    let request = harness
        .request("PUT", path)
        .header(header::IF_MATCH, etag)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    harness.send(request.unwrap()).await
}

#[tokio::test]
async fn of_two_writes_from_one_version_one_wins_and_the_other_is_told() {
    let harness = Harness::new().await;
    let path = harness.vault().await;
    for round in 0..ROUNDS {
        let read = harness.get(&path).await.json();
        let etag = read["eTag"].as_str().unwrap();
        let tagged = |by: &str| {
            let mut body = read.clone();
            body["tags"] = json!({"by": format!("{by} {round}")});
            body
        };
        let (one, other) = (tagged("one"), tagged("other"));
        let (first, second) = tokio::join!(
            put_if(&harness, &path, etag, &one),
            put_if(&harness, &path, etag, &other),
        );
        let winner = match (first.status, second.status) {
            (200, 412) => one,
            (412, 200) => other,
            both => panic!("{both:?}: {} {}", first.text, second.text),
        };
        let kept = harness.get(&path).await.json();
        assert_eq!(kept["tags"], winner["tags"]);
    }
}

#[tokio::test]
async fn of_two_writes_that_name_no_version_both_are_whole_and_the_later_stays() {
    let harness = Harness::new().await;
    let path = harness.vault().await;
    let read = harness.get(&path).await.json();
    for round in 0..ROUNDS {
        let put = async |by: &str| {
            let mut body = read.clone();
            body["tags"] = json!({"by": by, "round": round.to_string()});
            let answer = harness.put(&path, body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.json()
        };
        let (one, other) = tokio::join!(put("one"), put("other"));
        let kept = harness.get(&path).await.json();
        assert!(kept["eTag"] == one["eTag"] || kept["eTag"] == other["eTag"]);
        let last = if kept["eTag"] == one["eTag"] {
            one
        } else {
            other
        };
        assert_eq!(kept["tags"], last["tags"]);
    }
}

#[tokio::test]
async fn a_backup_and_the_delete_of_its_instance_are_never_both_accepted() {
    for round in 0..ROUNDS {
        let it = Protected::new().await;
        let backup = it.post("backup", adhoc());
        let delete = it.harness.delete(&it.instance);
        let (backup, delete) = if round % 2 == 0 {
            tokio::join!(backup, delete)
        } else {
            let (delete, backup) = tokio::join!(delete, backup);
            (backup, delete)
        };
        match (backup.status, delete.status) {
            (202, 409) => assert_eq!(delete.refusal().1, "ResourceInUse"),
            (404, 200) => {}
            both => panic!("{both:?}: {} {}", backup.text, delete.text),
        }
    }
}

#[tokio::test]
async fn a_policy_that_keeps_longer_saves_every_point_that_was_not_taken_before_it() {
    const EDIT: &str = "Microsoft.DataProtection/backupVaults/backupPolicies/write";
    for round in 0..ROUNDS {
        let it = Protected::new().await;
        let old = it.recovery_point().await;
        it.harness.clock.advance(Duration::from_secs(3600));
        it.recovery_point().await;
        // A server that believes its clock, of which the older point's week is over.
        crate::worker::expire_for_test(&it.harness.app, Duration::ZERO).await;
        let days = Duration::from_secs(8 * 24 * 3600);
        it.harness.clock.advance(days);
        let mut policy = it.harness.get(&it.policy).await.json();
        let rule = &mut policy["properties"]["policyRules"][1];
        rule["lifecycles"][0]["deleteAfter"]["duration"] = "P30D".into();
        let edit = it
            .harness
            .put(&it.policy, json!({"properties": policy["properties"]}));
        let look = crate::worker::expire_for_test(&it.harness.app, days);
        let edited = if round % 2 == 0 {
            tokio::join!(edit, look).0
        } else {
            tokio::join!(look, edit).1
        };
        assert_eq!(edited.status, 200, "{}", edited.text);

        let app = &it.harness.app;
        let Rows { rows, .. } = crate::app::audit::after(app, 0, 1000).await.unwrap();
        let edit = rows.iter().rposition(|entry| entry.event.action == EDIT);
        let expiry = rows.iter().position(|entry| {
            entry
                .event
                .action
                .ends_with("/recoveryPoints/expire/action")
        });
        crate::worker::expire_for_test(app, days).await;
        let path = format!("{}/recoveryPoints/{old}", it.instance);
        let is_there = it.harness.get(&path).await.status == 200;
        match expiry {
            Some(expiry) => {
                assert!(Some(expiry) < edit, "taken although it was to be kept");
                assert!(!is_there);
            }
            None => assert!(is_there, "taken without an entry"),
        }
    }
}
