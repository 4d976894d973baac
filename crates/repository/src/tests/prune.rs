//! Prune never blocks a writer and never removes what a point, sealed or in flight, needs.

use std::time::Duration;

use super::faulty::{Fault, Faulty};
use super::fixtures::*;
use crate::limits::IN_FLIGHT_MAX_AGE;
use crate::{Error, Repository, WriterOptions};

const HOUR: Duration = Duration::from_secs(3600);

async fn packs(repository: &Repository) -> usize {
    repository.objects.list("packs").await.unwrap().len()
}

#[tokio::test]
async fn packs_go_in_two_phases_by_the_stores_own_clock() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    write(&repository, id(1), None, 1, &small()).await.unwrap();
    repository.delete_point(id(1)).await.unwrap();
    assert!(repository.points().await.unwrap().is_empty());
    let report = repository.prune(HOUR).await.unwrap();
    assert_eq!((report.marked, report.removed), (1, 0));
    faulty.pass(HOUR / 2);
    assert_eq!(repository.prune(HOUR).await.unwrap().removed, 0);
    faulty.pass(HOUR);
    let report = repository.prune(HOUR).await.unwrap();
    assert_eq!((report.marked, report.removed), (0, 1));
    assert_eq!(packs(&repository).await, 0);
    faulty.pass(2 * HOUR);
    repository.prune(HOUR).await.unwrap();
    repository.prune(Duration::ZERO).await.unwrap();
    assert!(repository.objects.list("prune").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_point_in_flight_keeps_its_own_packs_and_those_of_its_parent() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    write_tiny(&repository, id(1), None, 1, &noisy(20))
        .await
        .unwrap();
    let options = WriterOptions {
        parent: Some(id(1)),
        attempt: 1,
    };
    let mut writer = repository.begin(id(2), options).await.unwrap();
    repository.delete_point(id(1)).await.unwrap();
    for _ in 0..3 {
        let report = repository.prune(Duration::ZERO).await.unwrap();
        assert_eq!((report.removed, report.in_flight), (0, 1));
        faulty.pass(HOUR);
    }
    fill(&mut writer, &noisy(20)).await.unwrap();
    repository.prune(Duration::ZERO).await.unwrap();
    writer
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    repository.prune(Duration::ZERO).await.unwrap();
    assert_eq!(read(&repository, id(2)).await.unwrap(), noisy(20));
    assert!(repository.verify(id(2)).await.unwrap().is_whole());
}

#[tokio::test]
async fn a_dead_writer_protects_its_packs_for_a_while_only() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    let mut writer = repository
        .begin(id(1), WriterOptions::default())
        .await
        .unwrap();
    writer.start_run("a", serde_json::json!({})).await.unwrap();
    for number in 0..6 {
        let body = noise(number, 1024 * 1024);
        writer
            .put(format!("{number:02}"), vec![], body.into())
            .await
            .unwrap();
    }
    writer.finish_run().await.unwrap();
    let _ = writer.packs_sent().await;
    drop(writer);
    assert_eq!(packs(&repository).await, 1);
    assert_eq!(repository.prune(Duration::ZERO).await.unwrap().removed, 0);
    faulty.pass(IN_FLIGHT_MAX_AGE);
    assert_eq!(repository.prune(Duration::ZERO).await.unwrap().removed, 1);
    assert!(repository.objects.list("points").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_abandoned_point_cannot_be_sealed_any_more() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository
        .begin(id(1), WriterOptions::default())
        .await
        .unwrap();
    fill(&mut writer, &small()).await.unwrap();
    repository.delete_point(id(1)).await.unwrap();
    let error = writer
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Abandoned { .. }), "{error}");
    repository.prune(Duration::ZERO).await.unwrap();
    assert_eq!(packs(&repository).await, 0);
}

#[tokio::test]
async fn nothing_is_removed_when_a_manifest_does_not_open() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    write(&repository, id(1), None, 1, &small()).await.unwrap();
    write(&repository, id(2), None, 1, &small()).await.unwrap();
    repository.delete_point(id(1)).await.unwrap();
    let manifest = prefix()
        .join("points")
        .join(id(2).to_string())
        .join("manifest");
    let (store, path) = (&store, &manifest);
    object_store::ObjectStoreExt::put(store, path, "strongM\u{1} what".into())
        .await
        .unwrap();
    let error = repository.prune(Duration::ZERO).await.unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    assert_eq!(packs(&repository).await, 2);
}

#[tokio::test]
async fn a_prune_after_every_entry_takes_nothing_from_a_writer_that_resumes() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    write_tiny(&repository, id(1), None, 1, &noisy(6))
        .await
        .unwrap();
    let mut content = noisy(6);
    for entry in content
        .values_mut()
        .flat_map(|run| run.values_mut())
        .step_by(2)
    {
        entry.1.extend_from_slice(b"changed");
    }
    for attempt in 1..3 {
        let mut writer = begin_tiny(&repository, id(2), Some(id(1)), attempt)
            .await
            .unwrap();
        for (group, entries) in &content {
            writer
                .start_run(group, serde_json::json!({}))
                .await
                .unwrap();
            for (name, (meta, body)) in entries {
                writer
                    .put(name, meta.clone(), body.clone().into())
                    .await
                    .unwrap();
                repository.prune(Duration::ZERO).await.unwrap();
            }
            writer.finish_run().await.unwrap();
            repository.delete_point(id(1)).await.unwrap();
        }
        if attempt == 2 {
            writer
                .seal(header(), jiff::Timestamp::UNIX_EPOCH)
                .await
                .unwrap();
        }
    }
    repository.prune(Duration::ZERO).await.unwrap();
    assert_eq!(read(&repository, id(2)).await.unwrap(), content);
    assert!(repository.verify(id(2)).await.unwrap().is_whole());
}

#[tokio::test]
async fn a_prune_that_is_cut_off_at_any_call_takes_nothing_that_is_needed_and_the_next_ends_it() {
    for fault in [Fault::Die, Fault::DieAfter, Fault::Full, Fault::Cut] {
        for call in 1.. {
            let faulty = Faulty::new();
            let repository = open(&faulty.store()).await.unwrap();
            write_tiny(&repository, id(1), None, 1, &noisy(9))
                .await
                .unwrap();
            write_tiny(&repository, id(2), Some(id(1)), 1, &noisy(5))
                .await
                .unwrap();
            repository.delete_point(id(1)).await.unwrap();
            repository.prune(HOUR).await.unwrap();
            faulty.pass(2 * HOUR);
            faulty.fail_at(call, fault);
            let first = repository.prune(HOUR).await;
            let reached = faulty.heal();
            assert!(reached || first.is_ok(), "{fault:?} {call}");
            // As the next process finds it.
            let repository = open(&faulty.store()).await.unwrap();
            let read = read(&repository, id(2)).await.unwrap();
            assert_eq!(read, noisy(5), "{fault:?} {call}");
            for _ in 0..2 {
                repository.prune(HOUR).await.unwrap();
                faulty.pass(2 * HOUR);
            }
            let verified = repository.verify(id(2)).await.unwrap();
            assert!(verified.is_whole(), "{fault:?} {call}");
            // What only the deleted point had is gone: the other's packs are what a store holds that
            // never had it, or those that they share.
            assert_eq!(unneeded(&repository).await, 0, "{fault:?} {call}");
            if !reached {
                assert!(call > 3, "a prune is more calls than {call}");
                break;
            }
        }
    }
}

/// Packs that a prune at this moment would still take.
async fn unneeded(repository: &Repository) -> u64 {
    let report = repository.prune(HOUR).await.unwrap();
    report.marked + report.removed
}

#[tokio::test]
async fn a_clock_of_the_store_that_jumps_costs_no_point_and_no_writer_unnoticed() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    faulty.pass(30 * IN_FLIGHT_MAX_AGE);
    write_tiny(&repository, id(1), None, 1, &noisy(9))
        .await
        .unwrap();
    let options = WriterOptions {
        parent: Some(id(1)),
        attempt: 1,
    };
    let mut writer = repository.begin(id(2), options).await.unwrap();
    // Back: all that was written lies in the future, so nothing is old enough to go.
    faulty.turn_back(29 * IN_FLIGHT_MAX_AGE);
    repository.delete_point(id(1)).await.unwrap();
    let report = repository.prune(HOUR).await.unwrap();
    assert_eq!((report.removed, report.in_flight), (0, 1));
    // Forward beyond the longest life of a claim: the writer counts as dead, and hears of it.
    faulty.pass(40 * IN_FLIGHT_MAX_AGE);
    repository.prune(HOUR).await.unwrap();
    faulty.pass(2 * HOUR);
    repository.prune(HOUR).await.unwrap();
    let filled = fill(&mut writer, &noisy(9)).await;
    let sealed = match filled {
        Ok(()) => writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await,
        Err(error) => Err(error),
    };
    let error = sealed.unwrap_err();
    let told = matches!(error, Error::Abandoned { .. } | Error::Corrupt { .. });
    assert!(told, "{error}");
    assert!(repository.points().await.unwrap().is_empty());
    // A point that is sealed stays whole whatever the clock does.
    write_tiny(&repository, id(3), None, 1, &noisy(9))
        .await
        .unwrap();
    faulty.pass(40 * IN_FLIGHT_MAX_AGE);
    repository.prune(HOUR).await.unwrap();
    faulty.turn_back(20 * IN_FLIGHT_MAX_AGE);
    repository.prune(HOUR).await.unwrap();
    assert!(repository.verify(id(3)).await.unwrap().is_whole());
}

#[tokio::test]
async fn repositories_of_two_vaults_in_one_container_know_nothing_of_each_other() {
    let store = memory();
    let one = open(&store).await.unwrap();
    let key = crate::RepositoryKey::new([8; 32]);
    let other_place = object_store::path::Path::from("instances/one-more");
    let other = Repository::open_or_create(store.clone(), other_place, &key, &Fixed(4))
        .await
        .unwrap();
    write(&one, id(1), None, 1, &small()).await.unwrap();
    write(&other, id(1), None, 1, &noisy(9)).await.unwrap();
    one.delete_point(id(1)).await.unwrap();
    one.prune(Duration::ZERO).await.unwrap();
    assert!(one.points().await.unwrap().is_empty());
    assert_eq!(packs(&one).await, 0);
    assert_eq!(read(&other, id(1)).await.unwrap(), noisy(9));
    assert!(other.verify(id(1)).await.unwrap().is_whole());
    // One place for two instances: the second is refused before it writes anything.
    let error = Repository::open_or_create(store.clone(), prefix(), &key, &Fixed(4)).await;
    assert!(matches!(error, Err(Error::WrongKey)));
}

#[tokio::test]
async fn a_repository_with_nothing_to_prune_is_only_listed_the_next_time() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    write(&repository, id(1), None, 1, &small()).await.unwrap();
    faulty.pass(IN_FLIGHT_MAX_AGE);
    let (first, settled) = repository.prune_since(HOUR, None).await.unwrap();
    assert_eq!((first.kept, first.marked, first.removed), (1, 0, 0));
    assert_eq!(settled, None, "the writer's claim went only now");
    let (_, settled) = repository.prune_since(HOUR, None).await.unwrap();
    let settled = settled.unwrap();
    faulty.take_reads();
    let (again, settled) = repository.prune_since(HOUR, Some(settled)).await.unwrap();
    assert_eq!((again.kept, again.removed), (1, 0));
    assert!(faulty.take_reads().is_empty(), "no manifest is read again");
    // Whatever is written or removed ends that.
    repository.delete_point(id(1)).await.unwrap();
    let (after, settled) = repository.prune_since(HOUR, settled).await.unwrap();
    assert_eq!((after.marked, after.removed), (1, 0));
    assert_eq!(settled, None, "something is left to do");
}
