//! What is written is read, on every store.

use super::fixtures::*;
use crate::{Error, WriterOptions};

#[tokio::test]
async fn a_point_is_read_back_as_it_was_written() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let sealed = write(&repository, id(1), None, 1, &small()).await.unwrap();
    assert_eq!(repository.points().await.unwrap(), [id(1)]);
    assert_eq!(read(&repository, id(1)).await.unwrap(), small());
    let point = repository
        .point_with_digest(id(1), &sealed.digest)
        .await
        .unwrap();
    assert_eq!(point.header(), &header());
    assert_eq!((sealed.stats.entries, sealed.stats.packs), (48, 1));
    let found = point
        .find("secrets.", "shop/item-0003")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&found.meta[..], b"3");
    assert!(
        point
            .find("secrets.", "shop/item-9")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        point
            .find("nothing.", "shop/item-9")
            .await
            .unwrap()
            .is_none()
    );
    assert!(repository.verify(id(1)).await.unwrap().is_whole());
}

#[tokio::test]
async fn sealing_the_same_again_is_no_error_and_sealing_other_content_is_one() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let first = write(&repository, id(1), None, 1, &small()).await.unwrap();
    let again = write(&repository, id(1), None, 2, &small()).await.unwrap();
    assert_eq!(first.digest, again.digest);
    let mut other = small();
    other.get_mut("secrets.").unwrap().clear();
    let error = write(&repository, id(1), None, 3, &other)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(read(&repository, id(1)).await.unwrap(), small());
}

#[tokio::test]
async fn names_and_groups_out_of_order_are_refused() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository
        .begin(id(1), WriterOptions::default())
        .await
        .unwrap();
    let header = || serde_json::json!({});
    writer.start_run("b", header()).await.unwrap();
    assert!(matches!(
        writer.start_run("c", header()).await,
        Err(Error::Misuse { .. })
    ));
    writer.put("n", vec![], "1".into()).await.unwrap();
    let again = writer.put("n", vec![], "2".into()).await;
    assert!(matches!(again, Err(Error::OutOfOrder { .. })));
    writer.finish_run().await.unwrap();
    assert!(matches!(
        writer.start_run("b", header()).await,
        Err(Error::OutOfOrder { .. })
    ));
    assert!(matches!(
        writer.put("x", vec![], "".into()).await,
        Err(Error::Misuse { .. })
    ));
}
