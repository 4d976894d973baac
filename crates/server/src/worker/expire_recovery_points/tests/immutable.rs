//! In an immutable vault no clock ends a recovery point early: the server must have run for as long as was
//! promised.

use super::*;

async fn two_points_of_a_locked_vault() -> (Protected, Uuid, Uuid) {
    let (it, old, new) = two_points().await;
    assert_eq!(it.immutability("Locked").await.status, 200);
    (it, old, new)
}

#[tokio::test]
async fn a_clock_that_is_put_ahead_takes_nothing_however_long_it_is_believed() {
    let (it, old, new) = two_points_of_a_locked_vault().await;
    let minute = Duration::from_secs(60);
    look_after(&it, minute).await;
    it.harness.clock.advance(DAY * 3650);
    let all_kept = Looked {
        kept: 2,
        ..Looked::default()
    };
    // Six days of running: by then the leap has long been believed elsewhere.
    for _ in 0..6 {
        assert_eq!(look_after(&it, DAY).await, all_kept);
    }
    assert_eq!(listed(&it).await, [new, old]);
    // Nor may the instance be deleted with its data, because the time is over by the clock alone.
    let refused = it.harness.delete(&it.instance).await;
    let code = "UserErrorOperationDeniedOnImmutableItem".to_owned();
    assert_eq!(refused.refusal(), (409, code));
    assert!(refused.text.contains("yet to run"), "{}", refused.text);
    // A week and the time between two looks: that was promised, and is over.
    let gone = look_after(&it, DAY + minute * 2).await;
    assert_eq!((gone.removed, gone.kept), (1, 1), "{gone:?}");
    assert_eq!(listed(&it).await, [new], "the latest stays, as everywhere");
    assert_eq!(it.harness.delete(&it.instance).await.status, 200);
}

#[tokio::test]
async fn restarts_with_the_clock_put_ahead_each_time_take_nothing() {
    let (it, old, new) = two_points_of_a_locked_vault().await;
    for _ in 0..200 {
        it.harness.clock.advance(Duration::from_secs(50 * 60));
        // The first look of a process: it knows of no time that passed.
        expire(&it.harness.app, SignedDuration::ZERO).await.unwrap();
    }
    let looked = look_after(&it, DAY).await;
    assert_eq!((looked.removed, looked.kept), (0, 2));
    assert_eq!(listed(&it).await, [new, old]);
}

#[tokio::test]
async fn a_clock_that_was_in_the_past_when_a_point_was_made_ends_nothing_when_it_is_put_right() {
    let (it, old, new) = two_points_of_a_locked_vault().await;
    it.harness.clock.turn_back(DAY * 100);
    it.recovery_point().await;
    // By its own time it is the oldest.
    let behind = *listed(&it).await.last().unwrap();
    it.harness.clock.advance(DAY * 100);
    it.recovery_point().await;
    look_after(&it, DAY).await;
    let listed = listed(&it).await;
    assert_eq!(listed.len(), 4);
    assert!([old, new, behind].iter().all(|id| listed.contains(id)));
}

#[tokio::test]
async fn what_was_deleted_before_the_vault_became_immutable_stays_for_its_time() {
    let (it, _, _) = two_points().await;
    let mut policy = it.harness.get(&it.policy).await.json();
    let rule = &mut policy["properties"]["policyRules"][1];
    rule["lifecycles"][0]["deleteAfter"]["duration"] = "P60D".into();
    let body = json!({"properties": policy["properties"]});
    assert_eq!(it.harness.put(&it.policy, body).await.status, 200);
    assert_eq!(it.harness.delete(&it.instance).await.status, 200);
    assert_eq!(it.immutability("Locked").await.status, 200);
    // By the vault's soft delete it would be gone after 14 days.
    for _ in 0..59 {
        look_after(&it, DAY).await;
    }
    assert_eq!(it.recovery_points().await, 2);
    for _ in 0..3 {
        look_after(&it, DAY).await;
    }
    assert_eq!(it.recovery_points().await, 0);
}
