//! Retention looks at an instance once, and again when there is a reason.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::testing::protection::Protected;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The looks that are due, noted as seen, with how many points are over of each.
async fn looks(it: &Protected) -> Vec<usize> {
    let app = &it.harness.app;
    let page = due(app, None, None).await.unwrap();
    assert_eq!(page.next, None);
    note(app, &page.looks).await.unwrap();
    page.looks.iter().map(|look| look.over.len()).collect()
}

async fn edit(it: &Protected, duration: &str) {
    let mut policy = it.harness.get(&it.policy).await.json();
    let rule = &mut policy["properties"]["policyRules"][1];
    rule["lifecycles"][0]["deleteAfter"]["duration"] = duration.into();
    let body = json!({"properties": policy["properties"]});
    assert_eq!(it.harness.put(&it.policy, body).await.status, 200);
}

#[tokio::test]
async fn an_instance_is_looked_at_once_until_something_changes_or_is_over() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.harness.clock.advance(DAY);
    it.recovery_point().await;
    assert_eq!(looks(&it).await, [0]);
    assert_eq!(looks(&it).await, [0_usize; 0]);
    // Both were promised a week; the edit prolongs that.
    edit(&it, "P30D").await;
    assert_eq!(looks(&it).await, [0]);
    it.harness.clock.advance(DAY * 8);
    assert_eq!(looks(&it).await, [0_usize; 0]);
    edit(&it, "P7D").await;
    assert_eq!(looks(&it).await, [1]);
    it.recovery_point().await;
    assert_eq!(looks(&it).await, [2]);
}

#[tokio::test]
async fn the_latest_point_is_not_looked_at_again_and_again_when_its_time_is_over() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.harness.clock.advance(DAY * 8);
    let page = due(&it.harness.app, None, None).await.unwrap();
    let kept: Vec<&Keep> = page.looks[0].kept.iter().map(|(_, why)| why).collect();
    assert_eq!(kept, [&Keep::Newest]);
    note(&it.harness.app, &page.looks).await.unwrap();
    assert_eq!(looks(&it).await, [0_usize; 0]);
    it.recovery_point().await;
    assert_eq!(looks(&it).await, [1]);
}

#[tokio::test]
async fn a_clock_that_is_not_trusted_is_asked_again() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.recovery_point().await;
    it.harness.clock.advance(DAY * 8);
    let app = &it.harness.app;
    for _ in 0..2 {
        let page = due(app, None, Some(SignedDuration::from_hours(1))).await;
        let page = page.unwrap();
        assert_eq!((page.looks[0].over.len(), page.looks[0].kept.len()), (0, 2));
        note(app, &page.looks).await.unwrap();
    }
    assert_eq!(looks(&it).await, [1]);
}

#[tokio::test]
async fn what_changes_while_a_look_is_at_work_makes_the_next_one_due() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let app = &it.harness.app;
    let before = due(app, None, None).await.unwrap();
    edit(&it, "P1D").await;
    note(app, &before.looks).await.unwrap();
    let before = due(app, None, None).await.unwrap();
    assert_eq!(before.looks.len(), 1, "the policy was edited");
    it.recovery_point().await;
    note(app, &before.looks).await.unwrap();
    assert_eq!(looks(&it).await, [0], "there is another recovery point");
    assert_eq!(looks(&it).await, [0_usize; 0]);
}

#[tokio::test]
async fn an_instance_that_cannot_be_read_keeps_no_other_from_its_turn() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.recovery_point().await;
    it.harness.clock.advance(DAY * 8);
    let app = &it.harness.app;
    let key = due(app, None, None).await.unwrap().looks[0]
        .instance_key()
        .to_owned();
    let mut session = app.store.begin().await.unwrap();
    let sound = session.resource(&key).await.unwrap().unwrap();
    // A page and one more of them, all of which come before the sound one.
    for number in 0..=RETENTION_LOOKS_AT_ONCE {
        let (folder, _) = key.rsplit_once('/').unwrap();
        let broken = ResourceRow {
            key: format!("{folder}/!{number:03}"),
            id: format!("{folder}/!{number:03}"),
            body: json!({"properties": 7}),
            ..sound.clone()
        };
        session.put_resource(&broken).await.unwrap();
    }
    session.commit().await.unwrap();
    let first = due(app, None, None).await.unwrap();
    assert_eq!(first.looks.len(), 0);
    let second = due(app, first.next.as_deref(), None).await.unwrap();
    assert_eq!(second.looks.len(), 1);
    assert_eq!((second.looks[0].over.len(), second.next), (1, None));
}
