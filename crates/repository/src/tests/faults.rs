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
