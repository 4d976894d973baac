//! One moment for all types: what a writer changes in a fixed order is never torn in a recovery point.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::Cluster;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::{BackupSpec, JobState};

use super::stage::{Stage, core};

/// How many backups are made while the writer writes; 200 where it is to be proven.
const BACKUPS_VARIABLE: &str = "STRONGROOM_TEST_CUTS";
const BACKUPS: usize = 25;

/// Plain lists of which one must be torn. With a writer at work about one in four is.
const PLAIN_LISTS: usize = 2_000;

const NAMESPACE: &str = "strongroom-cut";
const NAME: &str = "counter";
const PATIENCE: Duration = Duration::from_secs(60);

/// The types in the order in which the writer changes them. Lists read them in this order too, so that
/// the later ones have seen more of the writer, unless all are read at one moment.
fn types() -> [ResourceType; 4] {
    [
        core("ConfigMap", "configmaps", true),
        core("Secret", "secrets", true),
        core("ServiceAccount", "serviceaccounts", true),
        ResourceType::new("cut.example.com", "v1", "Tick", "ticks", true),
    ]
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "ticks.cut.example.com"},
        "spec": {"group": "cut.example.com", "scope": "Namespaced",
            "names": {"kind": "Tick", "plural": "ticks", "singular": "tick", "listKind": "TickList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// The number that the writer wrote last into an object.
fn number(object: &Value) -> u64 {
    let text = object["metadata"]["labels"]["number"].as_str().unwrap();
    text.parse().unwrap()
}

/// At every moment a type is at the number of the one before it or one behind, and none is more than
/// one behind the first.
fn is_torn(numbers: &[u64]) -> bool {
    let falling = numbers.windows(2).all(|pair| pair[0] >= pair[1]);
    let near = numbers
        .first()
        .zip(numbers.last())
        .is_some_and(|(first, last)| first.saturating_sub(*last) <= 1);
    !(falling && near)
}

async fn deploy(stage: &Stage) {
    let definitions = ResourceType::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    );
    objects::create(&stage.cluster, &definitions, &definition())
        .await
        .unwrap();
    objects::wait_established(&stage.cluster, "ticks.cut.example.com", PATIENCE)
        .await
        .unwrap();
    let place = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    objects::create(
        &stage.cluster,
        &core("Namespace", "namespaces", false),
        &place,
    )
    .await
    .unwrap();
    for resource in types() {
        let object = json!({"apiVersion": resource.api_version(), "kind": resource.kind,
            "metadata": {"name": NAME, "namespace": NAMESPACE}});
        objects::create(&stage.cluster, &resource, &object)
            .await
            .unwrap();
        write(&stage.cluster, &resource, 0).await;
    }
}

async fn write(cluster: &Cluster, resource: &ResourceType, number: u64) {
    let change = json!({"metadata": {"labels": {"number": number.to_string()}}});
    objects::patch_merge(cluster, resource, Some(NAMESPACE), NAME, &change)
        .await
        .unwrap();
}

/// Writes rising numbers, type after type, until it is told to stop; gives the last.
async fn write_on(cluster: Cluster, stop: Arc<AtomicBool>) -> u64 {
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) {
        last += 1;
        for resource in types() {
            write(&cluster, &resource, last).await;
        }
    }
    last
}

/// What lists without a common moment see.
async fn plainly_listed(cluster: &Cluster) -> Vec<u64> {
    let collector = Collector::with_defaults(cluster.clone());
    let mut numbers = Vec::new();
    for resource in types() {
        let mut pages = pin!(collector.pages(&resource, Some(NAMESPACE), None, None));
        while let Some(page) = pages.next().await {
            for item in page.unwrap().items {
                if item.facts.object.name == NAME {
                    numbers.push(number(&item.raw.json().unwrap()));
                }
            }
        }
    }
    numbers
}

async fn stored(stage: &Stage, backup: &BackupSpec) -> Vec<u64> {
    let repository = stage.repository().await;
    let point = repository.point(backup.recovery_point_id).await.unwrap();
    let mut numbers = Vec::new();
    for resource in types() {
        let name = format!("{NAMESPACE}/{NAME}");
        let entry = point
            .find(&resource.resource(), &name)
            .await
            .unwrap()
            .unwrap();
        let body = point.read(&entry).await.unwrap();
        numbers.push(number(&serde_json::from_slice(&body).unwrap()));
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_change_in_a_fixed_order_are_never_torn_in_a_recovery_point() {
    let Some(stage) = Stage::new("cut").await else {
        return;
    };
    deploy(&stage).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write_on(stage.cluster.clone(), Arc::clone(&stop)));
    let process = stage.start(CrashPoints::none());
    let count = std::env::var(BACKUPS_VARIABLE).map_or(BACKUPS, |text| text.parse().unwrap());
    let mut seen = Vec::new();
    for _ in 0..count {
        let mut backup = stage.backup_of(&[NAMESPACE]);
        backup.selection.included_resource_types =
            types().iter().map(ResourceType::resource).collect();
        let status = stage.back_up_with(&backup).await;
        assert_eq!(status.state, JobState::Completed, "{status:#?}");
        let cut = status.cut.unwrap();
        assert!(
            cut.starts_with("cut at ") && !cut.contains("apart"),
            "{cut}"
        );
        let numbers = stored(&stage, &backup).await;
        assert!(!is_torn(&numbers), "{cut}: {numbers:?}");
        seen.push(numbers[0]);
    }
    // That the same can be torn, and is by lists that have no moment in common.
    let mut torn = None;
    for tries in 1..=PLAIN_LISTS {
        let numbers = plainly_listed(&stage.cluster).await;
        if is_torn(&numbers) {
            torn = Some((tries, numbers));
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    drop(process);
    println!(
        "{count} backups of {written} rounds, first and last at {:?} and {:?}; plain lists torn: {torn:?}",
        seen.first(),
        seen.last()
    );
    assert!(
        torn.is_some(),
        "plain lists were never torn: the writer proves nothing"
    );
    assert!(
        seen.windows(2).all(|pair| pair[0] < pair[1]),
        "the writer stood still: {seen:?}"
    );
    let namespaces = core("Namespace", "namespaces", false);
    let how = objects::Propagation::Background;
    objects::delete(&stage.cluster, &namespaces, None, NAMESPACE, None, how)
        .await
        .unwrap();
}

#[test]
fn a_cut_between_two_changes_is_whole_and_a_later_change_without_the_earlier_is_torn() {
    assert!(!is_torn(&[7, 7, 7]) && !is_torn(&[7, 6, 6]) && !is_torn(&[7, 7, 6]));
    assert!(is_torn(&[6, 7, 7]) && is_torn(&[7, 6, 7]) && is_torn(&[8, 7, 6]));
}
