//! What is written is read, on every store.

use super::fixtures::*;
use crate::limits::{BODY_MAX, META_MAX, NAME_MAX};
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
async fn names_out_of_order_and_a_group_twice_are_refused() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository
        .begin(id(1), WriterOptions::default())
        .await
        .unwrap();
    let header = || serde_json::json!({});
    writer.start_run("b", header()).await.unwrap();
    assert!(matches!(
        writer.start_run("b", header()).await,
        Err(Error::Misuse { .. })
    ));
    assert!(matches!(writer.turn_to("c"), Err(Error::Misuse { .. })));
    writer.put("n", vec![], "1".into()).await.unwrap();
    let again = writer.put("n", vec![], "2".into()).await;
    assert!(matches!(again, Err(Error::OutOfOrder { .. })));
    let large = writer.put("o", vec![], vec![0; BODY_MAX + 1].into()).await;
    assert!(matches!(large, Err(Error::TooLarge { .. })));
    let large = writer.put("o", vec![0; META_MAX + 1], "".into()).await;
    assert!(matches!(large, Err(Error::TooLarge { .. })));
    let large = writer
        .put("o".repeat(NAME_MAX + 1), vec![], "".into())
        .await;
    assert!(matches!(large, Err(Error::TooLarge { .. })));
    writer.finish_run().await.unwrap();
    assert!(matches!(
        writer.start_run("b", header()).await,
        Err(Error::Misuse { .. })
    ));
    assert!(matches!(
        writer.put("x", vec![], "".into()).await,
        Err(Error::Misuse { .. })
    ));
}

#[tokio::test]
async fn entries_at_their_limits_are_read_back() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut content = Content::new();
    let run = content.entry("g".repeat(1024)).or_default();
    run.insert(String::new(), (vec![], vec![]));
    run.insert(
        "n".repeat(NAME_MAX),
        (vec![0xff; META_MAX], noise(1, BODY_MAX)),
    );
    run.insert("z".into(), (vec![], noise(2, BODY_MAX)));
    write(&repository, id(1), None, 1, &content).await.unwrap();
    assert_eq!(read(&repository, id(1)).await.unwrap(), content);
    assert!(repository.verify(id(1)).await.unwrap().is_whole());
}

/// The extension and the server run all of it in spawned tasks.
#[tokio::test]
async fn everything_can_be_spawned() {
    tokio::spawn(async {
        let store = memory();
        let repository = open(&store).await?;
        write(&repository, id(1), None, 1, &small()).await?;
        read(&repository, id(1)).await?;
        repository.verify(id(1)).await?;
        repository.read_report(id(1), 1, 0, 1).await.unwrap_err();
        repository.report_writer(id(1), 1).append(b"1").await?;
        repository.delete_point(id(1)).await?;
        repository.prune(std::time::Duration::ZERO).await
    })
    .await
    .unwrap()
    .unwrap();
}
