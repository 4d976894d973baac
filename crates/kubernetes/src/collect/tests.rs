//! Lists against an API server in memory.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Asked, Log, cluster};

fn config_maps() -> ResourceType {
    ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
}

fn widgets() -> ResourceType {
    ResourceType::new("example.com", "v1", "Widget", "widgets", true)
}

fn list(items: &str, version: &str, token: &str, remaining: u64) -> Answer {
    Answer::raw(
        200,
        format!(
            r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{token}","remainingItemCount":{remaining}}},"items":[{items}]}}"#
        ),
    )
}

fn item(name: &str) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","namespace":"shop"}},"data":{{"k":"v"}}}}"#)
}

/// A server with `total` objects that honours limit and continue, each `bytes` long.
fn paging(total: u32, bytes: usize) -> impl Fn(&Asked) -> Answer {
    move |asked| {
        let limit: u32 = asked.parameter("limit").unwrap().parse().unwrap();
        let from: u32 = asked
            .parameter("continue")
            .map_or(0, |token| token.parse().unwrap());
        let to = (from + limit).min(total);
        let items: Vec<String> = (from..to)
            .map(|number| {
                let data = "x".repeat(bytes);
                format!(r#"{{"metadata":{{"name":"n{number:04}"}},"data":{{"k":"{data}"}}}}"#)
            })
            .collect();
        let token = if to < total {
            to.to_string()
        } else {
            String::new()
        };
        list(&items.join(","), "100", &token, u64::from(total - to))
    }
}

async fn all(
    collector: &Collector,
    kind: &ResourceType,
    version: Option<&str>,
) -> Result<Vec<Page>, ClusterError> {
    collector
        .pages(kind, None, version, None)
        .try_collect()
        .await
}

fn names(pages: &[Page]) -> Vec<String> {
    let items = pages.iter().flat_map(|page| &page.items);
    items.map(|item| item.facts.object.name.clone()).collect()
}

fn limits(log: &Log) -> Vec<String> {
    log.all()
        .iter()
        .map(|asked| asked.parameter("limit").unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_nothing_is_missed() {
    let (cluster, log) = cluster(paging(1203, 1));
    let pages = all(&Collector::new(cluster, 500), &config_maps(), None)
        .await
        .unwrap();
    let expected: Vec<String> = (0..1203).map(|number| format!("n{number:04}")).collect();
    assert_eq!(names(&pages), expected);
    assert_eq!(
        pages.iter().map(|page| page.remaining).collect::<Vec<_>>(),
        [Some(703), Some(203), Some(0)]
    );
    assert_eq!(limits(&log), ["500", "500", "500"]);
    assert!(
        pages
            .iter()
            .all(|page| page.consistent && page.resource_version == "100")
    );
}

#[tokio::test]
async fn pages_are_asked_for_ahead_and_never_more_than_three_are_held() {
    let (cluster, log) = cluster(paging(1_000, 100));
    let (collector, kind) = (Collector::new(cluster, 100), config_maps());
    let pages = collector.pages(&kind, None, None, None);
    let mut pages = std::pin::pin!(pages);
    let mut asked = Vec::new();
    while let Some(page) = pages.try_next().await.unwrap() {
        // Whatever is to be on its way gets the time to be sent.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        asked.push(log.all().len());
        drop(page);
    }
    assert_eq!(asked, [2, 4, 5, 6, 7, 8, 9, 10, 10, 10]);
}

#[tokio::test]
async fn the_servers_bytes_are_kept_and_only_what_the_list_left_out_is_put_in_front() {
    let body = r#"{ "metadata" : {"name":"a","namespace":"shop","zzz":1} , "big":12345678901234567890123 ,"f":1.10,"e":"\u0041\/", "b":{"z":1,"a":null}}"#;
    let answer = list(body, "7", "", 0);
    let (cluster, _) = cluster(move |_| answer.clone());
    let pages = all(&Collector::new(cluster, 500), &config_maps(), None)
        .await
        .unwrap();
    let raw = pages[0].items[0].raw.clone().into_bytes();
    let raw = std::str::from_utf8(&raw).unwrap();
    assert_eq!(
        raw,
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap",{}"#, &body[1..])
    );
    serde_json::from_str::<Value>(raw).unwrap();
}

#[tokio::test]
async fn an_item_that_names_its_kind_is_a_view_into_the_page() {
    let body = r#"{"kind":"Widget","apiVersion":"example.com/v1","metadata":{"name":"w"}}"#;
    let answer = list(body, "7", "", 0);
    let (cluster, _) = cluster(move |_| answer.clone());
    let pages = all(&Collector::new(cluster, 500), &widgets(), None)
        .await
        .unwrap();
    let [front, rest] = pages[0].items[0].raw.clone().into_parts();
    assert_eq!((&*front, &*rest), (&b""[..], body.as_bytes()));
}

#[test]
fn an_empty_object_stays_an_object() {
    let body = Bytes::from_static(b"{ }");
    let text = std::str::from_utf8(&body).unwrap();
    let head = serde_json::from_str(text).unwrap();
    let kind = config_maps();
    let one = item::collected(&kind, &whole::Fronts::of(&kind), &body, text, head);
    let raw = one.raw.into_bytes();
    assert_eq!(raw, r#"{"apiVersion":"v1","kind":"ConfigMap" }"#.as_bytes());
    serde_json::from_slice::<Value>(&raw).unwrap();
}

#[tokio::test]
async fn the_facts_are_what_decisions_need() {
    let object = json!({"metadata": {
        "name": "web-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "42",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": "web", "empty": null}, "annotations": {"note": "x"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
            "uid": "u-0", "controller": true, "blockOwnerDeletion": true}],
    }});
    let answer = list(&object.to_string(), "50", "", 0);
    let (cluster, _) = cluster(move |_| answer.clone());
    let pages = all(&Collector::new(cluster, 500), &config_maps(), None)
        .await
        .unwrap();
    let facts = &pages[0].items[0].facts;
    assert_eq!(facts.object.to_string(), "ConfigMap shop/web-1");
    assert_eq!(
        (facts.uid.as_str(), facts.resource_version.as_str()),
        ("u-1", "42")
    );
    assert_eq!(facts.labels.get("empty").map(String::as_str), Some(""));
    assert_eq!(facts.annotations.len(), 1);
    assert_eq!(
        facts.controller().map(|owner| owner.name.as_str()),
        Some("web")
    );
    assert!(facts.terminating);
    // Fields of the item that decisions do not need are the same whoever reads them.
    let mut without_null = object;
    without_null["metadata"]["labels"]["empty"] = json!("");
    assert_eq!(*facts, ObjectFacts::of(&config_maps(), &without_null));
}

#[tokio::test]
async fn a_state_is_asked_for_exactly_and_only_with_the_first_page() {
    let (cluster, log) = cluster(paging(700, 1));
    let collector = Collector::new(cluster, 500);
    let kind = config_maps();
    let pages = collector.pages(&kind, Some("shop"), Some("100"), Some("env=prod,tier!=web"));
    let _: Vec<Page> = pages.try_collect().await.unwrap();
    let asked = log.all();
    assert_eq!(asked[0].path, "/api/v1/namespaces/shop/configmaps");
    assert_eq!(
        asked[0].parameter("resourceVersionMatch").as_deref(),
        Some("Exact")
    );
    assert_eq!(
        asked[0].parameter("resourceVersion").as_deref(),
        Some("100")
    );
    assert_eq!(asked[1].parameter("resourceVersion"), None);
    assert!(
        asked
            .iter()
            .all(|one| one.parameter("labelSelector").as_deref() == Some("env=prod,tier!=web"))
    );
}

#[tokio::test]
async fn an_expired_state_begins_anew_at_the_newest_and_says_so() {
    let (cluster, log) = cluster(|asked| match asked.parameter("resourceVersion") {
        Some(_) => Answer::failed(410, "Expired", "too old resource version"),
        None => list(&item("a"), "200", "", 0),
    });
    let pages = all(&Collector::new(cluster, 500), &config_maps(), Some("100"))
        .await
        .unwrap();
    assert_eq!(names(&pages), ["a"]);
    assert_eq!(
        (pages[0].resource_version.as_str(), pages[0].consistent),
        ("200", false)
    );
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn a_list_that_expires_midway_goes_on_with_the_servers_token_and_repeats_nothing() {
    let (cluster, _) = cluster(|asked| match asked.parameter("continue").as_deref() {
        None => list(&item("a"), "100", "first", 1),
        Some("first") => Answer::raw(
            410,
            json!({"kind": "Status", "metadata": {"continue": "inconsistent"}, "code": 410,
                "reason": "Expired", "message": "the continue token is too old"})
            .to_string(),
        ),
        Some("inconsistent") => list(&item("b"), "300", "", 0),
        Some(other) => panic!("unexpected token {other}"),
    });
    let pages = all(&Collector::new(cluster, 1), &config_maps(), None)
        .await
        .unwrap();
    assert_eq!(names(&pages), ["a", "b"]);
    assert_eq!(
        pages.iter().map(|page| page.consistent).collect::<Vec<_>>(),
        [true, false]
    );
}

#[tokio::test]
async fn a_list_that_expires_midway_without_a_token_ends_with_gone() {
    let (cluster, _) = cluster(|asked| match asked.parameter("continue") {
        None => list(&item("a"), "100", "first", 1),
        Some(_) => Answer::failed(410, "Expired", "too old"),
    });
    let error = all(&Collector::new(cluster, 1), &config_maps(), None)
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Gone { .. }), "{error}");
}

#[tokio::test]
async fn a_state_that_always_expires_is_given_up_after_a_few_times() {
    let (cluster, log) = cluster(|_| Answer::failed(410, "Expired", "too old"));
    let error = all(&Collector::new(cluster, 1), &config_maps(), Some("1"))
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Gone { .. }), "{error}");
    assert_eq!(log.lines().len() as u32, 1 + LIST_RESTARTS);
}

#[tokio::test]
async fn large_objects_are_read_in_smaller_pages_until_they_are_past() {
    let (cluster, log) = cluster(paging(20, 10_000));
    let collector = Collector::new(cluster, 16).with_page_bytes(50_000);
    let pages = all(&collector, &config_maps(), None).await.unwrap();
    assert_eq!(names(&pages).len(), 20);
    assert_eq!(limits(&log)[..3], ["16", "4", "4"]);
    assert!(pages.iter().all(|page| page.items.len() <= 4));
}

#[tokio::test]
async fn one_object_larger_than_a_page_is_still_read() {
    let (cluster, _) = cluster(paging(3, 10_000));
    let collector = Collector::new(cluster, 8).with_page_bytes(5_000);
    assert_eq!(
        names(&all(&collector, &config_maps(), None).await.unwrap()).len(),
        3
    );
}

#[tokio::test]
async fn too_many_requests_is_asked_again_and_then_given_up() {
    let count = AtomicU32::new(0);
    let (patient, log) = cluster(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::failed(429, "TooManyRequests", "slow down").with_header("Retry-After", "1"),
        1 => Answer::failed(503, "ServiceUnavailable", "restarting"),
        2 => Answer::failed(500, "InternalError", "etcdserver: leader changed"),
        _ => list(&item("a"), "1", "", 0),
    });
    assert_eq!(
        names(
            &all(&Collector::new(patient, 1), &config_maps(), None)
                .await
                .unwrap()
        ),
        ["a"]
    );
    assert_eq!(log.lines().len(), 4);

    let (never, log) = cluster(|_| Answer::failed(429, "TooManyRequests", "slow down"));
    let error = all(&Collector::new(never, 1), &config_maps(), None)
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure, Failure::TooManyRequests { .. }),
        "{error}"
    );
    assert_eq!(
        log.lines().len() as u32,
        1 + crate::testing::IMPATIENT.times
    );
}

#[tokio::test]
async fn a_kind_that_is_gone_midway_is_not_found() {
    let (cluster, _) = cluster(|asked| match asked.parameter("continue") {
        None => list(&item("a"), "1", "more", 1),
        Some(_) => Answer::raw(404, "404 page not found"),
    });
    let error = all(&Collector::new(cluster, 1), &widgets(), None)
        .await
        .unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        "could not list widgets.example.com/v1: not found: 404 page not found"
    );
}

#[tokio::test]
async fn a_cut_off_list_is_malformed_and_not_an_empty_one() {
    let (cluster, _) = cluster(|_| Answer::raw(200, r#"{"items":[{"metadata":{"na"#));
    let error = all(&Collector::new(cluster, 1), &config_maps(), None)
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure, Failure::Malformed { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_null_list_is_an_empty_one() {
    let (cluster, _) =
        cluster(|_| Answer::ok(&json!({"items": null, "metadata": {"resourceVersion": "9"}})));
    let pages = all(&Collector::new(cluster, 1), &config_maps(), None)
        .await
        .unwrap();
    assert_eq!((pages.len(), pages[0].items.len()), (1, 0));
}
