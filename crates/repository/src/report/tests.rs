//! Reports: pages, cut reports, damage.

use object_store::ObjectStoreExt;
use uuid::Uuid;

use crate::Error;
use crate::tests::faulty::{Fault, Faulty};
use crate::tests::fixtures::{memory, open, prefix};

fn job() -> Uuid {
    Uuid::from_u128(5)
}

fn line(number: usize) -> Vec<u8> {
    format!(
        "{{\"line\":{number},\"why\":\"{}\"}}",
        "because ".repeat(30)
    )
    .into_bytes()
}

#[tokio::test]
async fn a_long_report_is_read_page_by_page_in_order() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository.report_writer(job(), 1);
    for number in 0..20_000 {
        writer.append(&line(number)).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap().lines, 20_000);
    assert!(repository.objects.list("reports").await.unwrap().len() > 3);
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let page = repository.read_report(job(), 1, from, 777).await.unwrap();
        assert!(page.complete && page.total == 20_000);
        all.extend(page.lines);
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(all, (0..20_000).map(line).collect::<Vec<_>>());
    let beyond = repository.read_report(job(), 1, 90_000, 10).await.unwrap();
    assert!(beyond.lines.is_empty() && beyond.next.is_none());
}

#[tokio::test]
async fn an_empty_report_is_a_whole_report_and_an_absent_one_is_not_found() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    repository.report_writer(job(), 1).finish().await.unwrap();
    let page = repository.read_report(job(), 1, 0, 10).await.unwrap();
    assert!(page.complete && page.lines.is_empty() && page.total == 0);
    assert!(
        repository
            .read_report(job(), 2, 0, 10)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn a_report_without_its_end_is_incomplete_and_one_with_a_hole_is_damaged() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository.report_writer(job(), 1);
    for number in 0..15_000 {
        writer.append(&line(number)).await.unwrap();
    }
    drop(writer);
    let page = repository.read_report(job(), 1, 0, 10).await.unwrap();
    assert!(!page.complete && page.lines.len() == 10 && page.total < 15_000);
    let segments = repository.objects.list("reports").await.unwrap();
    let path = prefix()
        .parts()
        .chain(object_store::path::Path::from(segments[0].path.as_str()).parts())
        .collect::<object_store::path::Path>();
    store.delete(&path).await.unwrap();
    let error = repository.read_report(job(), 1, 0, 10).await.unwrap_err();
    assert!(error.is_corrupt(), "{error}");
}

#[tokio::test]
async fn lines_that_are_no_json_or_too_long_are_refused() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = repository.report_writer(job(), 1);
    for bad in [&b"{"[..], b"", b"1\n2", b"nonsense"] {
        assert!(writer.append(bad).await.is_err());
    }
    let long = format!("\"{}\"", "x".repeat(70_000));
    let error = writer.append(long.as_bytes()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
}

#[tokio::test]
async fn two_writers_of_one_attempt_do_not_mix() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let (mut one, mut other) = (
        repository.report_writer(job(), 1),
        repository.report_writer(job(), 1),
    );
    one.append(b"1").await.unwrap();
    other.append(b"2").await.unwrap();
    one.finish().await.unwrap();
    assert!(matches!(other.finish().await, Err(Error::Exists { .. })));
}

#[tokio::test]
async fn a_value_makes_the_same_line_as_its_text() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let value = serde_json::json!({ "name": "a\nb", "bytes": 3 });
    let mut writer = repository.report_writer(job(), 1);
    writer.append(value.to_string().as_bytes()).await.unwrap();
    writer.append_value(&value).await.unwrap();
    let too_long = "x".repeat(70_000);
    let error = writer.append_value(&too_long).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
    assert_eq!(writer.finish().await.unwrap().lines, 2);
    let page = repository.read_report(job(), 1, 0, 9).await.unwrap();
    assert_eq!(page.lines[0], page.lines[1]);
}

#[tokio::test]
async fn a_segment_that_could_not_be_sent_ends_the_report() {
    let faulty = Faulty::new();
    let repository = open(&faulty.store()).await.unwrap();
    let mut writer = repository.report_writer(job(), 1);
    writer.append(b"1").await.unwrap();
    faulty.fail_at(1, Fault::Die);
    assert!(writer.flush().await.is_err());
    writer.append(b"2").await.unwrap();
    assert!(writer.finish().await.is_err());
}
