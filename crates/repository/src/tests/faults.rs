//! One failure at any call, of every sort, ends in success or in a named error, never in a point
//! that is not what was written.

use super::faulty::{Fault, Faulty};
use super::fixtures::*;
use crate::Error;

#[tokio::test]
async fn one_failed_or_unanswered_call_is_not_even_noticed() {
    let content = noisy(8);
    for fault in [Fault::Fail, Fault::LoseReply, Fault::Throttle] {
        for call in 1.. {
            let faulty = Faulty::new();
            let store = faulty.store();
            faulty.fail_at(call, fault);
            let repository = open(&store).await.unwrap();
            write_tiny(&repository, id(1), None, 1, &content)
                .await
                .unwrap();
            let page = report(&repository).await.unwrap();
            assert_eq!(page.lines.len(), 3);
            assert_eq!(
                read(&repository, id(1)).await.unwrap(),
                content,
                "{fault:?} {call}"
            );
            repository.delete_point(id(1)).await.unwrap();
            repository.prune(std::time::Duration::ZERO).await.unwrap();
            if !faulty.heal() {
                assert!(call > 20);
                break;
            }
            assert!(repository.objects.list("packs").await.unwrap().is_empty());
        }
    }
}

async fn report(repository: &crate::Repository) -> crate::Result<crate::ReportPage> {
    let mut report = repository.report_writer(id(9), 1);
    for line in ["1", "2", "3"] {
        report.append(line.as_bytes()).await?;
    }
    report.finish().await?;
    repository.read_report(id(9), 1, 0, 10).await
}

#[tokio::test]
async fn a_half_written_object_is_a_named_error_and_the_next_attempt_does_without_it() {
    let content = noisy(8);
    for call in 1.. {
        let faulty = Faulty::new();
        let store = faulty.store();
        let repository = open(&store).await.unwrap();
        faulty.fail_at(call, Fault::Cut);
        let first = write_tiny(&repository, id(1), None, 1, &content).await;
        if !faulty.heal() {
            first.unwrap();
            break;
        }
        if first.is_err() {
            let second = write_tiny(&repository, id(1), None, 2, &content).await;
            match second {
                Ok(_) => assert_eq!(read(&repository, id(1)).await.unwrap(), content, "{call}"),
                // The manifest itself was cut: the point is known to be damaged.
                Err(error) => {
                    assert!(matches!(error, Error::Corrupt { .. }), "{call}: {error}");
                    assert!(read(&repository, id(1)).await.unwrap_err().is_corrupt());
                }
            }
        } else {
            assert_eq!(read(&repository, id(1)).await.unwrap(), content, "{call}");
        }
    }
}

#[tokio::test]
async fn a_point_whose_pack_could_not_be_sent_cannot_be_sealed_by_trying_again() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    let mut writer = begin_tiny(&repository, id(1), None, 1).await.unwrap();
    fill(&mut writer, &small()).await.unwrap();
    writer.packs_sent().await.unwrap();
    faulty.fail_at(1, Fault::Die);
    let sealed = writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(sealed, Err(Error::Unreachable { .. })));
    faulty.heal();
    let sealed = writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(sealed, Err(Error::Misuse { .. })), "{sealed:?}");
    assert!(repository.points().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_seal_whose_manifest_could_not_be_written_may_be_tried_again() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    let mut writer = repository
        .begin(id(1), crate::WriterOptions::default())
        .await
        .unwrap();
    fill(&mut writer, &small()).await.unwrap();
    // The first call sends the one pack, the second looks at the claim.
    faulty.fail_at(2, Fault::Die);
    let sealed = writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(sealed, Err(Error::Unreachable { .. })));
    faulty.heal();
    writer
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    writer
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(read(&repository, id(1)).await.unwrap(), small());
}

#[tokio::test]
async fn a_call_that_was_dropped_half_way_spoils_the_writer_not_the_point() {
    use futures::FutureExt;
    let store = memory();
    let repository = open(&store).await.unwrap();
    write_tiny(&repository, id(1), None, 1, &noisy(40))
        .await
        .unwrap();
    let mut dropped = 0;
    let mut writer = begin_tiny(&repository, id(2), None, 1).await.unwrap();
    writer.start_run("a", serde_json::json!({})).await.unwrap();
    for number in 0..200_u64 {
        let put = writer.put(format!("{number:04}"), vec![], noise(number, 400).into());
        if put.now_or_never().is_none() {
            dropped += 1;
            break;
        }
    }
    assert_eq!(dropped, 1, "no call had to wait");
    assert!(matches!(
        writer.put("z", vec![], "".into()).await,
        Err(Error::Misuse { .. })
    ));
    assert!(matches!(
        writer.finish_run().await,
        Err(Error::Misuse { .. })
    ));
    let sealed = writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(sealed, Err(Error::Misuse { .. })));
}

#[tokio::test]
async fn a_full_store_is_named_and_the_next_attempt_finishes_the_point() {
    let content = noisy(8);
    let mut refused = 0;
    for call in 1.. {
        let faulty = Faulty::new();
        let store = faulty.store();
        let repository = open(&store).await.unwrap();
        faulty.fail_at(call, Fault::Full);
        let first = write_tiny(&repository, id(1), None, 1, &content).await;
        if !faulty.heal() {
            first.unwrap();
            break;
        }
        if let Err(error) = first {
            assert!(matches!(error, Error::Full { .. }), "{call}: {error}");
            assert!(repository.points().await.unwrap().is_empty());
            refused += 1;
            write_tiny(&repository, id(1), None, 2, &content)
                .await
                .unwrap();
        }
        assert_eq!(read(&repository, id(1)).await.unwrap(), content, "{call}");
        assert!(repository.verify(id(1)).await.unwrap().is_whole(), "{call}");
    }
    assert!(refused > 3, "every write was refused once");
}

#[tokio::test]
async fn a_read_that_is_short_or_wrong_is_a_named_error_and_never_wrong_data() {
    let content = noisy(8);
    for fault in [Fault::ReadShort, Fault::ReadWrong] {
        let faulty = Faulty::new();
        let store = faulty.store();
        let repository = open(&store).await.unwrap();
        write_tiny(&repository, id(1), None, 1, &content)
            .await
            .unwrap();
        let mut damaged = 0;
        for call in 1.. {
            faulty.fail_at(call, fault);
            let found = read(&repository, id(1)).await;
            if !faulty.heal() {
                break;
            }
            match found {
                Ok(found) => assert_eq!(found, content, "{fault:?} {call}"),
                Err(error) => {
                    assert!(error.is_corrupt(), "{fault:?} {call}: {error}");
                    damaged += 1;
                }
            }
            assert_eq!(read(&repository, id(1)).await.unwrap(), content);
        }
        assert!(damaged > 10, "{fault:?}: each read is of something needed");
    }
}
