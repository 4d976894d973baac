//! One suite over every kind of store.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::faulty::Faulty;
use super::fixtures::*;
use crate::{Backend, Error, StoreConfig};

/// The life of a repository: points, an increment, a report, removal and pruning.
async fn lives(store: Arc<dyn ObjectStore>) {
    let repository = open(&store).await.unwrap();
    assert!(repository.points().await.unwrap().is_empty());
    assert!(repository.point(id(1)).await.unwrap_err().is_not_found());
    write_tiny(&repository, id(1), None, 1, &noisy(12))
        .await
        .unwrap();
    let mut changed = noisy(12);
    changed
        .get_mut("secrets.")
        .unwrap()
        .insert("shop/new".into(), (vec![], vec![1, 2, 3]));
    let stats = write_tiny(&repository, id(2), Some(id(1)), 1, &changed)
        .await
        .unwrap()
        .stats;
    assert_eq!(
        (stats.unchanged, stats.packs, stats.parent),
        (36, 1, Some(id(1)))
    );
    let reopened = open_seeded(&store, 2).await.unwrap();
    assert_eq!(reopened.points().await.unwrap(), [id(1), id(2)]);
    assert_eq!(read(&reopened, id(2)).await.unwrap(), changed);
    assert!(reopened.verify(id(1)).await.unwrap().is_whole());
    let mut report = reopened.report_writer(id(3), 1);
    report.append(b"{\"a\":1}").await.unwrap();
    report.finish().await.unwrap();
    assert_eq!(
        reopened.read_report(id(3), 1, 0, 5).await.unwrap().lines,
        [b"{\"a\":1}"]
    );
    // A second writer of the same report finds that it is there, and so does a second seal.
    let mut again = reopened.report_writer(id(3), 1);
    again.append(b"{\"a\":2}").await.unwrap();
    assert!(matches!(again.finish().await, Err(Error::Exists { .. })));
    let digest = reopened.point(id(2)).await.unwrap().digest().to_owned();
    let sealed = write_tiny(&reopened, id(2), Some(id(1)), 2, &changed)
        .await
        .unwrap();
    assert_eq!((sealed.digest, sealed.stats.packs), (digest, 0));
    let beyond = reopened
        .objects
        .read_range("format", 60, 1000)
        .await
        .unwrap_err();
    assert!(beyond.is_corrupt(), "{beyond}");
    let beyond = reopened
        .objects
        .read_range("format", 10_000, 10)
        .await
        .unwrap_err();
    assert!(beyond.is_corrupt(), "{beyond}");
    let gone = reopened
        .objects
        .read_range("nothing", 0, 10)
        .await
        .unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
    reopened.delete_report(id(3)).await.unwrap();

    repository.delete_point(id(1)).await.unwrap();
    repository.delete_point(id(1)).await.unwrap();
    repository.prune(Duration::ZERO).await.unwrap();
    assert_eq!(read(&reopened, id(2)).await.unwrap(), changed);
    repository.delete_point(id(2)).await.unwrap();
    repository.prune(Duration::ZERO).await.unwrap();
    assert!(repository.objects.list("packs").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_lives_in_memory() {
    let config = StoreConfig {
        backend: Backend::Memory,
        prefix: "x".into(),
    };
    lives(config.connect().unwrap()).await;
}

#[tokio::test]
async fn a_repository_lives_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::Local {
        path: folder.path().into(),
    };
    lives(
        StoreConfig {
            backend,
            prefix: String::new(),
        }
        .connect()
        .unwrap(),
    )
    .await;
    let left = std::fs::read_dir(folder.path().join("instances/one")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["format"], "no empty folders stay behind");
}

#[tokio::test]
async fn a_repository_lives_behind_the_wrapper_that_counts() {
    lives(Faulty::new().store()).await;
}

/// Runs against a real service when there is one: `STRONGROOM_TEST_S3` is the JSON of a
/// [`StoreConfig`] whose prefix is empty in the bucket.
#[tokio::test]
async fn a_repository_lives_in_s3() {
    let Ok(config) = std::env::var("STRONGROOM_TEST_S3") else {
        println!("STRONGROOM_TEST_S3 is not set: not tried");
        return;
    };
    let config: StoreConfig = serde_json::from_str(&config).unwrap();
    lives(config.connect().unwrap()).await;
}
