//! One suite over every kind of store.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::faulty::Faulty;
use super::fixtures::*;
use crate::{Backend, StoreConfig};

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
}

#[tokio::test]
async fn a_repository_lives_behind_the_wrapper_that_counts() {
    lives(Faulty::new().store()).await;
}
