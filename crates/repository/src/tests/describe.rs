//! Descriptions of repositories.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use super::fixtures::*;
use crate::{Descriptions, Error, Repository, RepositoryKey};

fn of(store: &Arc<dyn ObjectStore>, prefix: &str, key: u8) -> Descriptions {
    let key = RepositoryKey::new([key; 32]);
    Descriptions::new(Arc::clone(store), Path::from(prefix), &key, &Fixed(0)).unwrap()
}

async fn paths(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    use futures::TryStreamExt as _;
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut paths: Vec<String> = listed
        .iter()
        .map(|meta| meta.location.to_string())
        .collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn the_last_description_counts_and_takes_the_place_of_those_before() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let described = of(&store, "instances/one", 1);
    assert_eq!(described.latest().await.unwrap(), None);
    assert!(described.put(b"first").await.unwrap());
    assert!(!described.put(b"first").await.unwrap(), "nothing changed");
    assert!(described.put(b"second").await.unwrap());
    assert_eq!(described.latest().await.unwrap().unwrap(), b"second");
    assert_eq!(paths(&store).await, ["instances/one/description/00000002"]);
    described.clear().await.unwrap();
    assert_eq!(described.latest().await.unwrap(), None);
}

#[tokio::test]
async fn a_writer_that_was_cut_off_leaves_two_and_the_next_one_tidies_up() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let described = of(&store, "instances/one", 1);
    described.put(b"first").await.unwrap();
    let old = Path::from("instances/one/description/00000001");
    let bytes = store.get(&old).await.unwrap().bytes().await.unwrap();
    described.put(b"second").await.unwrap();
    store.put(&old, PutPayload::from(bytes)).await.unwrap();
    assert_eq!(described.latest().await.unwrap().unwrap(), b"second");
    assert!(!described.put(b"second").await.unwrap());
    assert_eq!(paths(&store).await.len(), 1);
}

#[tokio::test]
async fn a_description_opens_with_its_key_at_its_place_only_and_a_damaged_one_is_replaced() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    of(&store, "instances/one", 1).put(b"secret").await.unwrap();
    let refused = of(&store, "instances/one", 2).latest().await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    let at = Path::from("instances/one/description/00000001");
    let bytes = store.get(&at).await.unwrap().bytes().await.unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    store
        .put(&at, PutPayload::from(bytes.slice(..bytes.len() - 1)))
        .await
        .unwrap();
    let described = of(&store, "instances/one", 1);
    assert!(described.latest().await.is_err());
    assert!(described.put(b"secret").await.unwrap());
    assert_eq!(described.latest().await.unwrap().unwrap(), b"secret");
}

#[tokio::test]
async fn a_repository_that_must_be_there_is_not_made() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let prefix = || Path::from("instances/one");
    let absent = Repository::open(Arc::clone(&store), prefix(), &key(), &Fixed(0)).await;
    assert!(absent.unwrap_err().is_not_found());
    assert!(paths(&store).await.is_empty());
    Repository::open_or_create(Arc::clone(&store), prefix(), &key(), &Fixed(0))
        .await
        .unwrap();
    Repository::open(store, prefix(), &key(), &Fixed(0))
        .await
        .unwrap();
}
