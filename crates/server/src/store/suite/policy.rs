//! What schedules and retention ask of a store.

use jiff::ToSpan as _;
use uuid::Uuid;

use super::{point, resource, start, with};
use crate::store::{ExpiryCursor, RecoveryPointRow, ScheduleRow, Store};

pub(super) async fn a_schedule_is_kept_as_long_as_its_instance(store: Store) {
    with(&store, &[resource("/v/i", "i")]).await;
    let mut session = store.begin().await.unwrap();
    assert_eq!(session.schedule("/v/i").await.unwrap(), None);
    let new = ScheduleRow {
        instance_key: "/v/i".to_owned(),
        schedule: "hourly".to_owned(),
        since: start(),
        handled: None,
        job_id: None,
        last_success: None,
    };
    session.put_schedule(&new).await.unwrap();
    assert_eq!(session.schedule("/v/i").await.unwrap(), Some(new.clone()));
    let followed = ScheduleRow {
        schedule: "daily".to_owned(),
        since: start() + 1.second(),
        handled: Some(start() + 1.hour()),
        job_id: Some(Uuid::from_u128(7)),
        last_success: Some(start() + 2.hours()),
        ..new
    };
    session.put_schedule(&followed).await.unwrap();
    assert_eq!(session.schedule("/v/i").await.unwrap(), Some(followed));
    session.delete_resource("/v/i").await.unwrap();
    assert_eq!(session.schedule("/v/i").await.unwrap(), None);
}

pub(super) async fn expired_points_are_listed_until_they_are_marked(store: Store) {
    with(&store, &[resource("/v/i", "i")]).await;
    let mut session = store.begin().await.unwrap();
    // By number: when it is over, in hours; the fifth never is.
    for (number, hours) in [
        (1, Some(3)),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(9)),
        (5, None),
    ] {
        let row = RecoveryPointRow {
            expires_at: hours.map(|hours: i64| start() + hours.hours()),
            ..point(number, 0)
        };
        session.insert_recovery_point(&row).await.unwrap();
    }
    let ids = |rows: Vec<RecoveryPointRow>| -> Vec<u128> {
        rows.iter().map(|row| row.id.as_u128()).collect()
    };
    let now = start() + 3.hours();
    let expired = session.expired_recovery_points(now, None, 2).await.unwrap();
    let cursor = expired.last().map(|row| ExpiryCursor {
        expires_at: row.expires_at.unwrap(),
        id: row.id,
    });
    assert_eq!(ids(expired), [2, 3]);
    let rest = session
        .expired_recovery_points(now, cursor, 2)
        .await
        .unwrap();
    assert_eq!(ids(rest), [1]);

    let marked = Uuid::from_u128(2);
    assert!(
        session
            .mark_recovery_point_expiring(marked, now)
            .await
            .unwrap()
    );
    let later = now + 1.hour();
    assert!(
        !session
            .mark_recovery_point_expiring(marked, later)
            .await
            .unwrap()
    );
    let nobody = Uuid::from_u128(99);
    assert!(
        !session
            .mark_recovery_point_expiring(nobody, now)
            .await
            .unwrap()
    );
    let expired = session.expired_recovery_points(now, None, 9).await.unwrap();
    assert_eq!(ids(expired), [3, 1]);
    let expiring = session.expiring_recovery_points(None, 9).await.unwrap();
    assert_eq!(expiring[0].expiring_since, Some(now));
    assert_eq!(ids(expiring), [2]);
    let rest = session
        .expiring_recovery_points(Some(marked), 9)
        .await
        .unwrap();
    assert_eq!(ids(rest), [0_u128; 0]);
}

pub(super) async fn the_last_point_is_the_one_that_was_inserted_last(store: Store) {
    with(&store, &[resource("/v/i", "i"), resource("/v/j", "i")]).await;
    let mut session = store.begin().await.unwrap();
    assert_eq!(
        session.last_made_recovery_point("/v/i").await.unwrap(),
        None
    );
    // The later one has the earlier time: a clock was put back.
    for (number, minutes) in [(1, 60), (2, 0)] {
        session
            .insert_recovery_point(&point(number, minutes))
            .await
            .unwrap();
    }
    let elsewhere = RecoveryPointRow {
        instance_key: "/v/j".to_owned(),
        ..point(3, 90)
    };
    session.insert_recovery_point(&elsewhere).await.unwrap();
    let last = session.last_made_recovery_point("/v/i").await.unwrap();
    assert_eq!(last, Some(Uuid::from_u128(2)));
}
