//! A hostile store: whatever it changes, cuts, swaps, drops or replays is a named error, never a
//! panic and never wrong data.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::fixtures::*;
use crate::{Error, Result};

/// All objects of a store.
async fn dump(store: &Arc<dyn ObjectStore>) -> Vec<(Path, Bytes)> {
    let mut objects = Vec::new();
    let list: Vec<_> = store.list(None).try_collect().await.unwrap();
    for meta in list {
        let bytes = store
            .get(&meta.location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        objects.push((meta.location, bytes));
    }
    objects.sort_by(|a, b| a.0.cmp(&b.0));
    objects
}

async fn load(objects: &[(Path, Bytes)]) -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    for (path, bytes) in objects {
        store.put(path, bytes.clone().into()).await.unwrap();
    }
    Arc::new(store)
}

fn tiny() -> Content {
    let mut content = Content::new();
    for group in ["configmaps.", "widgets.example.com"] {
        let run = content.entry(group.into()).or_default();
        for number in 0..3_u8 {
            run.insert(
                format!("shop/{number}"),
                (vec![number], noise(u64::from(number), 30)),
            );
        }
    }
    content
}

/// A repository with a point and an increment over it; the increment uses both points' packs.
async fn two_points() -> (Arc<dyn ObjectStore>, Content, String) {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let before = tiny();
    write_tiny(&repository, id(1), None, 1, &before)
        .await
        .unwrap();
    let mut after = before;
    let run = after.get_mut("configmaps.").unwrap();
    run.insert("shop/1".into(), (vec![1], b"changed".to_vec()));
    run.remove("shop/2");
    let sealed = write_tiny(&repository, id(2), Some(id(1)), 1, &after)
        .await
        .unwrap();
    (store, after, sealed.digest)
}

/// What a reader who knows the digest sees.
async fn observe(store: &Arc<dyn ObjectStore>, digest: &str) -> Result<(Content, bool)> {
    let repository = open_seeded(store, 9).await?;
    repository.point_with_digest(id(2), digest).await?;
    let whole = repository.verify(id(2)).await?.is_whole();
    Ok((read(&repository, id(2)).await?, whole))
}

fn is_named(error: &Error) -> bool {
    matches!(
        error,
        Error::Corrupt { .. }
            | Error::WrongKey
            | Error::NotFound { .. }
            | Error::TooLarge { .. }
            | Error::UnsupportedVersion { .. }
    )
}

/// Reads a store with something wrong in it. Returns true when the damage was noticed.
async fn noticed(
    store: &Arc<dyn ObjectStore>,
    content: &Content,
    digest: &str,
    what: &str,
) -> bool {
    match observe(store, digest).await {
        Ok((found, whole)) => {
            assert_eq!(&found, content, "wrong data: {what}");
            !whole
        }
        Err(error) => {
            assert!(is_named(&error), "{what}: {error:?}");
            true
        }
    }
}

/// Objects that the second point does not need to be read.
fn is_needless(path: &Path) -> bool {
    path.as_ref().contains("/writers/") || path.as_ref().ends_with("01/manifest")
}

#[tokio::test]
async fn every_flipped_byte_is_noticed_and_none_gives_wrong_data() {
    let (store, content, digest) = two_points().await;
    let objects = dump(&store).await;
    for (path, whole) in objects {
        for position in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[position] ^= 1 << (position % 8);
            store.put(&path, bytes.into()).await.unwrap();
            let what = format!("{path}, byte {position}");
            let noticed = noticed(&store, &content, &digest, &what).await;
            assert!(noticed || is_needless(&path), "not noticed: {what}");
        }
        store.put(&path, whole.into()).await.unwrap();
    }
}

#[tokio::test]
async fn every_cut_object_is_noticed() {
    let (store, content, digest) = two_points().await;
    for (path, whole) in dump(&store).await {
        for length in 0..whole.len() {
            store
                .put(&path, whole.slice(..length).into())
                .await
                .unwrap();
            let what = format!("{path} cut to {length}");
            let noticed = noticed(&store, &content, &digest, &what).await;
            assert!(noticed || is_needless(&path), "not noticed: {what}");
        }
        let longer = [whole.as_ref(), b"x"].concat();
        store.put(&path, longer.into()).await.unwrap();
        let noticed = noticed(
            &store,
            &content,
            &digest,
            &format!("{path} with a byte more"),
        )
        .await;
        assert!(
            noticed || is_needless(&path),
            "not noticed: {path} with a byte more"
        );
        store.put(&path, whole.into()).await.unwrap();
    }
}

#[tokio::test]
async fn two_swapped_objects_and_each_dropped_object_are_noticed() {
    let (store, content, digest) = two_points().await;
    let objects = dump(&store).await;
    for one in 0..objects.len() {
        let mut rest = objects.clone();
        let (path, _) = rest.remove(one);
        let found = noticed(
            &load(&rest).await,
            &content,
            &digest,
            &format!("{path} gone"),
        )
        .await;
        assert!(found || is_needless(&path), "not noticed: {path} gone");
        for other in one + 1..objects.len() {
            let mut swapped = objects.clone();
            let bytes = swapped[one].1.clone();
            swapped[one].1 = std::mem::replace(&mut swapped[other].1, bytes);
            let what = format!("{} and {} swapped", swapped[one].0, swapped[other].0);
            let found = noticed(&load(&swapped).await, &content, &digest, &what).await;
            let needless = is_needless(&swapped[one].0) && is_needless(&swapped[other].0);
            assert!(found || needless, "not noticed: {what}");
        }
    }
}

#[tokio::test]
async fn an_older_manifest_or_pack_of_the_same_name_is_noticed() {
    let (old, _, old_digest) = two_points().await;
    let store = memory();
    let repository = open_seeded(&store, 2).await.unwrap();
    let mut content = tiny();
    content
        .get_mut("configmaps.")
        .unwrap()
        .insert("shop/0".into(), (vec![], vec![2; 40]));
    write_tiny(&repository, id(1), None, 1, &content)
        .await
        .unwrap();
    content
        .get_mut("configmaps.")
        .unwrap()
        .insert("shop/2".into(), (vec![], vec![1; 40]));
    let sealed = write_tiny(&repository, id(2), Some(id(1)), 1, &content)
        .await
        .unwrap();
    assert_ne!(sealed.digest, old_digest);
    let new = dump(&store).await;
    for (path, bytes) in dump(&old).await {
        let Some(at) = new.iter().position(|(known, _)| *known == path) else {
            continue;
        };
        // The packs of both histories have the same names and keys; only ids tell them apart.
        let mut replayed = new.clone();
        replayed[at].1 = bytes;
        let what = format!("{path} replayed");
        let found = noticed(&load(&replayed).await, &content, &sealed.digest, &what).await;
        let needed = path.as_ref().ends_with("02/manifest") || path.as_ref().contains("/packs/");
        assert!(found || !needed, "not noticed: {what}");
    }
}

#[tokio::test]
async fn a_repository_without_its_format_object_is_not_made_anew() {
    let (store, ..) = two_points().await;
    store.delete(&prefix().join("format")).await.unwrap();
    let error = open(&store).await.unwrap_err();
    assert!(error.is_corrupt(), "{error}");
}

#[tokio::test]
async fn another_key_is_told_from_damage() {
    let (store, ..) = two_points().await;
    let key = crate::RepositoryKey::new([8; 32]);
    let error = crate::Repository::open_or_create(store, prefix(), &key, &Fixed(1)).await;
    assert!(matches!(error, Err(Error::WrongKey)));
}

#[tokio::test]
async fn a_damaged_parent_costs_a_full_point_or_a_named_error_never_a_wrong_one() {
    let (store, content, _) = two_points().await;
    for (path, whole) in dump(&store).await {
        for position in (0..whole.len()).step_by(7) {
            let mut bytes = whole.to_vec();
            bytes[position] ^= 0x10;
            store.put(&path, bytes.into()).await.unwrap();
            let Ok(repository) = open_seeded(&store, 5).await else {
                continue;
            };
            match write_tiny(&repository, id(3), Some(id(2)), 1, &content).await {
                Ok(_) => {
                    store.put(&path, whole.clone().into()).await.unwrap();
                    assert_eq!(read(&repository, id(3)).await.unwrap(), content);
                }
                Err(error) => assert!(is_named(&error), "{path} {position}: {error}"),
            }
            store.put(&path, whole.clone().into()).await.unwrap();
            repository.delete_point(id(3)).await.unwrap();
            repository.prune(std::time::Duration::ZERO).await.unwrap();
        }
        store.put(&path, whole.into()).await.unwrap();
    }
}
