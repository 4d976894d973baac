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

/// The store of a real service, if there is one for the tests: the variable is the JSON of a
/// [`StoreConfig`] whose prefix is empty in the bucket.
fn service(variable: &str) -> Option<StoreConfig> {
    let Ok(config) = std::env::var(variable) else {
        println!("{variable} is not set: not tried");
        return None;
    };
    Some(serde_json::from_str(&config).unwrap())
}

/// What becomes of a wrong credential and of a container that is not there.
async fn refuses(wrong_credential: StoreConfig, no_container: StoreConfig) {
    let denied = open(&wrong_credential.connect().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
    let away = open(&no_container.connect().unwrap()).await.unwrap_err();
    assert!(away.is_transient() && !away.is_not_found(), "{away:?}");
}

#[tokio::test]
async fn a_repository_lives_in_s3() {
    let Some(config) = service("STRONGROOM_TEST_S3") else {
        return;
    };
    lives(config.connect().unwrap()).await;
    let changed = |change: &dyn Fn(&mut crate::S3Config)| {
        let mut config = config.clone();
        if let Backend::S3(s3) = &mut config.backend {
            change(s3);
        }
        config
    };
    refuses(
        changed(&|s3| s3.secret_access_key = "not-the-secret".into()),
        changed(&|s3| s3.bucket = "nobody-made-this".into()),
    )
    .await;
}

#[tokio::test]
async fn a_repository_lives_in_azure_blob_storage() {
    let Some(config) = service("STRONGROOM_TEST_AZURE_BLOB") else {
        return;
    };
    lives(config.connect().unwrap()).await;
    let changed = |change: &dyn Fn(&mut crate::AzureBlobConfig)| {
        let mut config = config.clone();
        if let Backend::AzureBlob(azure) = &mut config.backend {
            change(azure);
        }
        config
    };
    refuses(
        changed(&|azure| azure.account_key = Some("bm90LXRoZS1rZXk=".into())),
        changed(&|azure| azure.container = "nobody-made-this".into()),
    )
    .await;
}
