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
    assert!(!page.more);
    note(app, &page.rows).await.unwrap();
    page.rows.iter().map(|look| look.over.len()).collect()
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
    let kept: Vec<&Keep> = page.rows[0].kept.iter().map(|(_, why)| why).collect();
    assert_eq!(kept, [&Keep::Newest]);
    note(&it.harness.app, &page.rows).await.unwrap();
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
        assert_eq!((page.rows[0].over.len(), page.rows[0].kept.len()), (0, 2));
        note(app, &page.rows).await.unwrap();
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
    note(app, &before.rows).await.unwrap();
    let before = due(app, None, None).await.unwrap();
    assert_eq!(before.rows.len(), 1, "the policy was edited");
    it.recovery_point().await;
    note(app, &before.rows).await.unwrap();
    assert_eq!(looks(&it).await, [0], "there is another recovery point");
    assert_eq!(looks(&it).await, [0_usize; 0]);
}
