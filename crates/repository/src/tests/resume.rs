//! A writer that is killed at any call to the store is resumed by the next attempt, and what a
//! finished pack holds is never sent again.

use std::collections::BTreeMap;

use super::faulty::{Fault, Faulty};
use super::fixtures::*;
use crate::crypto::Kind;
use crate::id::PackId;
use crate::{Error, Repository, pack};

/// Bytes of all bodies in all packs of the store, each body counted as often as it is there.
pub(crate) async fn stored_bodies(repository: &Repository) -> u64 {
    let mut total = 0;
    for found in repository.objects.list("packs").await.unwrap() {
        let id: PackId = found.path.strip_prefix("packs/").unwrap().parse().unwrap();
        let (footer, _) = pack::read_footer(&repository.objects, id, found.size)
            .await
            .unwrap();
        for section in footer
            .sections
            .iter()
            .filter(|section| section.kind == Kind::Frame)
        {
            let place = crate::Place {
                pack: id,
                offset: section.offset,
                length: section.length,
            };
            let frame = pack::read_section(&repository.objects, Kind::Frame, place)
                .await
                .unwrap();
            total += frame.len() as u64;
        }
    }
    total
}

pub(crate) fn size_of(content: &Content) -> u64 {
    content
        .values()
        .flat_map(BTreeMap::values)
        .map(|(_, body)| body.len() as u64)
        .sum()
}

#[tokio::test]
async fn a_writer_killed_at_any_store_call_is_resumed_without_sending_a_body_twice() {
    let content = noisy(40);
    for fault in [Fault::Die, Fault::DieAfter] {
        for call in 1.. {
            let faulty = Faulty::new();
            let store = faulty.store();
            open(&store).await.unwrap();
            faulty.fail_at(call, fault);
            let first = match open_seeded(&store, 2).await {
                Ok(repository) => write_tiny(&repository, id(1), None, 1, &content).await,
                Err(error) => Err(error),
            };
            if !faulty.heal() {
                assert!(call > 20, "the writer made only {call} calls");
                first.unwrap();
                break;
            }
            if let Err(error) = first {
                assert!(
                    matches!(error, Error::Unreachable { .. }),
                    "{fault:?} {call}: {error}"
                );
            }
            let repository = open_seeded(&store, 3).await.unwrap();
            write_tiny(&repository, id(1), None, 2, &content)
                .await
                .unwrap();
            assert_eq!(
                read(&repository, id(1)).await.unwrap(),
                content,
                "{fault:?} {call}"
            );
            assert!(
                repository.verify(id(1)).await.unwrap().is_whole(),
                "{fault:?} {call}"
            );
            assert_eq!(
                stored_bodies(&repository).await,
                size_of(&content),
                "{fault:?} {call}"
            );
        }
    }
}

#[tokio::test]
async fn a_killed_increment_over_a_parent_is_resumed_too() {
    let before = noisy(40);
    let mut after = before.clone();
    for (number, (_, body)) in after
        .values_mut()
        .flat_map(BTreeMap::values_mut)
        .enumerate()
    {
        if number % 3 == 0 {
            *body = noise(number as u64 + 90_000, 200);
        }
    }
    after
        .get_mut("secrets.")
        .unwrap()
        .retain(|name, _| !name.ends_with('5'));
    for call in 1.. {
        let faulty = Faulty::new();
        let store = faulty.store();
        let repository = open(&store).await.unwrap();
        write_tiny(&repository, id(1), None, 1, &before)
            .await
            .unwrap();
        let bodies_before = stored_bodies(&repository).await;
        faulty.fail_at(call, Fault::Die);
        let first = write_tiny(&repository, id(2), Some(id(1)), 1, &after).await;
        if !faulty.heal() {
            first.unwrap();
            break;
        }
        let repository = open_seeded(&store, 3).await.unwrap();
        write_tiny(&repository, id(2), Some(id(1)), 2, &after)
            .await
            .unwrap();
        assert_eq!(read(&repository, id(2)).await.unwrap(), after, "{call}");
        let new: u64 = after
            .iter()
            .flat_map(|(group, run)| run.iter().map(move |(name, entry)| (group, name, entry)))
            .filter(|(group, name, entry)| before[*group].get(*name) != Some(entry))
            .map(|(_, _, (_, body))| body.len() as u64)
            .sum();
        assert_eq!(
            stored_bodies(&repository).await - bodies_before,
            new,
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_second_writer_of_the_same_attempt_does_not_overwrite_the_first() {
    let store = memory();
    let (one, other) = (
        open(&store).await.unwrap(),
        open_seeded(&store, 2).await.unwrap(),
    );
    let begin = |repository: &Repository| {
        let repository = repository.clone();
        async move {
            repository
                .begin(id(1), crate::WriterOptions::default())
                .await
                .unwrap()
        }
    };
    let (mut first, mut second) = (begin(&one).await, begin(&other).await);
    fill(&mut first, &small()).await.unwrap();
    fill(&mut second, &noisy(3)).await.unwrap();
    first
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let error = second
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(read(&one, id(1)).await.unwrap(), small());
}
