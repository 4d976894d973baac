//! Several runs open at once: the point is the same as one that was written run after run, and a
//! writer that is killed is resumed by one that takes the runs in another order.

use super::faulty::{Fault, Faulty};
use super::fixtures::*;
use super::resume::{size_of, stored_bodies};
use crate::limits::RUNS_OPEN_MAX;
use crate::{Error, PointWriter, Result};

/// Starts all runs, the last group first, and writes `pace` entries of each in turn.
async fn fill_in_turn(writer: &mut PointWriter, content: &Content, pace: usize) -> Result<()> {
    let mut open = Vec::new();
    for (group, entries) in content.iter().rev() {
        let header = serde_json::json!({ "plural": group });
        writer.start_run(group, header).await?;
        open.push((group, entries.iter()));
    }
    while let Some((group, mut entries)) = open.pop() {
        writer.turn_to(group)?;
        for (name, (meta, body)) in entries.by_ref().take(pace) {
            writer.put(name, meta.clone(), body.clone().into()).await?;
        }
        if entries.len() == 0 {
            writer.finish_run().await?;
        } else {
            open.insert(0, (group, entries));
        }
    }
    Ok(())
}

#[tokio::test]
async fn runs_written_in_turn_make_the_same_point_as_runs_written_one_after_the_other() {
    let content = noisy(40);
    let store = memory();
    let repository = open(&store).await.unwrap();
    write_tiny(&repository, id(1), None, 1, &content)
        .await
        .unwrap();
    for (point, parent) in [(id(2), None), (id(3), Some(id(1)))] {
        let mut writer = begin_tiny(&repository, point, parent, 1).await.unwrap();
        fill_in_turn(&mut writer, &content, 3).await.unwrap();
        let sealed = writer
            .seal(header(), jiff::Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        assert_eq!(sealed.stats.unchanged > 0, parent.is_some());
        assert_eq!(read(&repository, point).await.unwrap(), content);
        assert!(repository.verify(point).await.unwrap().is_whole());
    }
    let runs = |point: crate::Point| -> Vec<_> {
        point
            .runs()
            .iter()
            .map(|run| (run.group.clone(), run.content))
            .collect()
    };
    let (one, two) = (
        repository.point(id(1)).await.unwrap(),
        repository.point(id(2)).await.unwrap(),
    );
    assert_eq!(runs(one), runs(two));
}

#[tokio::test]
async fn a_writer_killed_while_runs_are_open_is_resumed_in_another_order_without_sending_a_body_twice()
 {
    let content = noisy(30);
    for call in 1.. {
        let faulty = Faulty::new();
        let store = faulty.store();
        open(&store).await.unwrap();
        faulty.fail_at(call, Fault::Die);
        let first = async {
            let repository = open_seeded(&store, 2).await?;
            let mut writer = begin_tiny(&repository, id(1), None, 1).await?;
            fill_in_turn(&mut writer, &content, 3).await?;
            writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await
        };
        let first = first.await;
        if !faulty.heal() {
            assert!(call > 15, "the writer made only {call} calls");
            first.unwrap();
            break;
        }
        let repository = open_seeded(&store, 3).await.unwrap();
        let mut writer = begin_tiny(&repository, id(1), None, 2).await.unwrap();
        fill_in_turn(&mut writer, &content, 7).await.unwrap();
        writer
            .seal(header(), jiff::Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        assert_eq!(read(&repository, id(1)).await.unwrap(), content, "{call}");
        assert!(repository.verify(id(1)).await.unwrap().is_whole(), "{call}");
        assert_eq!(
            stored_bodies(&repository).await,
            size_of(&content),
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_point_is_not_sealed_while_a_run_is_open_and_open_runs_are_bounded() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut writer = begin_tiny(&repository, id(1), None, 1).await.unwrap();
    for number in 0..RUNS_OPEN_MAX {
        writer
            .start_run(format!("g{number}"), header())
            .await
            .unwrap();
    }
    let one_more = writer.start_run("more", header()).await;
    assert!(matches!(one_more, Err(Error::Misuse { .. })));
    for number in 1..RUNS_OPEN_MAX {
        writer.turn_to(&format!("g{number}")).unwrap();
        writer.finish_run().await.unwrap();
    }
    let early = writer.seal(header(), jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(early, Err(Error::Misuse { .. })));
    writer.turn_to("g0").unwrap();
    writer.finish_run().await.unwrap();
    writer
        .seal(header(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
}
