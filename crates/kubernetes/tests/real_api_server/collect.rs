//! Lists of a real API server.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use strongroom_core::object::ObjectFacts;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::collect::{Collector, Page};

#[tokio::test]
async fn every_object_is_read_once_and_as_the_server_has_it() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let namespace = super::namespace(&cluster, "collect").await;
    let kind = super::config_maps();
    let made = stream::iter(0..120).map(|number| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("n{number:03}"), "namespace": namespace,
                "labels": {"odd": (number % 2).to_string()}},
            "data": {"k": "v".repeat(1000), "odd": "ü\u{7f}\"\\"}});
        let (cluster, kind) = (cluster.clone(), kind.clone());
        async move { super::create(&cluster, &kind, &object).await }
    });
    let made: Vec<Value> = made.buffered(16).collect().await;
    // They were made side by side, so the last one is not the newest.
    let version = |object: &Value| -> u64 {
        object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let before = made.iter().map(version).max().unwrap().to_string();
    // What is made later is not in a list at an exact state before it.
    let later = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "zz-later", "namespace": namespace}});
    super::create(&cluster, &kind, &later).await;

    let collector = Collector::new(cluster.clone(), 50);
    let pages: Vec<Page> = collector
        .pages(&kind, Some(&namespace), Some(&before), Some("odd in (0,1)"))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pages.len(), 3);
    assert!(
        pages
            .iter()
            .all(|page| page.consistent && page.resource_version == before)
    );
    let items: Vec<_> = pages.iter().flat_map(|page| &page.items).collect();
    assert_eq!(items.len(), 120);
    for (item, object) in items.iter().zip(&made) {
        let read: Value = item.raw.json().unwrap();
        assert_eq!(read, *object);
        assert_eq!(item.facts, ObjectFacts::of(&kind, object));
    }
    let whole: Vec<Page> = collector
        .pages(&kind, Some(&namespace), None, None)
        .try_collect()
        .await
        .unwrap();
    // The extra two: what came later, and the CA bundle that every namespace gets.
    assert_eq!(
        whole.iter().map(|page| page.items.len()).sum::<usize>(),
        122
    );
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn large_objects_do_not_make_large_pages() {
    let Some(cluster) = super::cluster() else {
        return;
    };
    let namespace = super::namespace(&cluster, "large").await;
    let kind = super::config_maps();
    for number in 0..6 {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("n{number}"), "namespace": namespace},
            "data": {"k": "x".repeat(900 * 1024)}});
        super::create(&cluster, &kind, &object).await;
    }
    let collector = Collector::new(cluster.clone(), 500).with_page_bytes(2 * 1024 * 1024);
    let pages: Vec<Page> = collector
        .pages(&kind, Some(&namespace), None, None)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pages.iter().map(|page| page.items.len()).sum::<usize>(), 7);
    assert!(pages.iter().all(|page| page.items.len() <= 3));
    let gone = objects::get(&cluster, &kind, Some(&namespace), "n9")
        .await
        .unwrap();
    assert_eq!(gone, None);
    super::remove_namespace(&cluster, &namespace).await;
}
