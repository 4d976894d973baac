//! What schedules and retention ask of a store.

use jiff::ToSpan as _;
use serde_json::json;
use uuid::Uuid;

use super::{point, resource, start, with};
use crate::store::{
    PointTime, RecoveryPointRow, ResourceRow, RetentionRow, ScheduleRow, Session, Store, TimeCursor,
};

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

pub(super) async fn the_times_of_points_are_told_until_they_are_marked(store: Store) {
    with(&store, &[resource("/v/i", "i"), resource("/v/j", "i")]).await;
    let mut session = store.begin().await.unwrap();
    // By number: when it is over, in hours; the fourth never is.
    for (number, hours) in [(1, Some(3)), (2, Some(1)), (3, Some(9)), (4, None)] {
        let row = RecoveryPointRow {
            expires_at: hours.map(|hours: i64| start() + hours.hours()),
            body: json!({"properties": {"retentionTagName": format!("T{number}")}}),
            ..point(number, i64::try_from(number).unwrap())
        };
        session.insert_recovery_point(&row).await.unwrap();
    }
    let told = |rows: Vec<PointTime>| -> Vec<(u128, String)> {
        let told = rows.into_iter();
        told.map(|row| (row.id.as_u128(), row.tag)).collect()
    };
    let named = |numbers: &[u128]| -> Vec<(u128, String)> {
        let named = numbers.iter();
        named
            .map(|number| (*number, format!("T{number}")))
            .collect()
    };
    let first = session.recovery_point_times("/v/i", None, 2).await.unwrap();
    assert!(first.more);
    let last = first.rows.last().unwrap();
    assert_eq!(last.expires_at, Some(start() + 1.hour()));
    let after = Some(TimeCursor {
        created_at: last.created_at,
        id: last.id,
    });
    assert_eq!(told(first.rows), named(&[3, 2]));
    let rest = session
        .recovery_point_times("/v/i", after, 2)
        .await
        .unwrap();
    assert!(!rest.more);
    assert_eq!(told(rest.rows), named(&[1]));

    let (marked, now) = (Uuid::from_u128(2), start() + 3.hours());
    for is_new in [true, false] {
        let done = session.mark_recovery_point_expiring(marked, now).await;
        assert_eq!(done.unwrap(), is_new);
    }
    let nobody = Uuid::from_u128(99);
    let done = session.mark_recovery_point_expiring(nobody, now).await;
    assert!(!done.unwrap());
    let left = session.recovery_point_times("/v/i", None, 9).await.unwrap();
    assert_eq!(told(left.rows), named(&[3, 1]));
    let expiring = session.expiring_recovery_points(None, 9).await.unwrap();
    assert_eq!(expiring[0].expiring_since, Some(now));
    assert_eq!(expiring.len(), 1);
    let rest = session.expiring_recovery_points(Some(marked), 9).await;
    assert_eq!(rest.unwrap(), []);
    let none = session.recovery_point_times("/v/j", None, 9).await.unwrap();
    assert_eq!(none.rows, []);
}

pub(super) async fn retention_looks_again_when_what_it_went_by_has_changed(store: Store) {
    let policy = resource("/v/p", "policy");
    with(
        &store,
        &[resource("/v/i", "i"), resource("/v/j", "i"), policy.clone()],
    )
    .await;
    let mut session = store.begin().await.unwrap();
    assert_eq!(due(&mut *session, 0).await, ["/v/i", "/v/j"], "never seen");
    let seen = seen("/v/i");
    session.put_retention(&seen).await.unwrap();
    let of_other = RetentionRow {
        instance_key: "/v/j".to_owned(),
        policy_key: "/v/gone".to_owned(),
        policy_etag: None,
        due_at: None,
        ..seen.clone()
    };
    session.put_retention(&of_other).await.unwrap();
    assert_eq!(due(&mut *session, 1).await, [""; 0]);
    assert_eq!(due(&mut *session, 2).await, ["/v/i"], "its time has come");

    // An edit of the policy, seen once.
    let edited = ResourceRow {
        etag: "2".to_owned(),
        ..policy
    };
    session.put_resource(&edited).await.unwrap();
    assert_eq!(due(&mut *session, 1).await, ["/v/i"]);
    let seen = RetentionRow {
        policy_etag: Some("2".to_owned()),
        ..seen
    };
    session.put_retention(&seen).await.unwrap();
    assert_eq!(due(&mut *session, 1).await, [""; 0]);

    // A new point and another body of it, of which a look that began before does not know.
    session.insert_recovery_point(&point(1, 0)).await.unwrap();
    let changes = session.recovery_point_changes("/v/i").await.unwrap();
    let written = session
        .put_recovery_point_body(Uuid::from_u128(1), &json!({}))
        .await;
    assert!(written.unwrap());
    for (changes, is_due) in [(changes, true), (changes + 1, false)] {
        let seen = RetentionRow {
            changes,
            ..seen.clone()
        };
        session.put_retention(&seen).await.unwrap();
        assert_eq!(due(&mut *session, 1).await.is_empty(), !is_due);
    }
}

pub(super) async fn retention_leaves_instances_that_are_away_alone(store: Store) {
    with(&store, &[resource("/v/i", "i"), resource("/v/j", "i")]).await;
    let mut session = store.begin().await.unwrap();
    for key in ["/v/i", "/v/j", "/v/nobody"] {
        let seen = RetentionRow {
            policy_etag: None,
            ..seen(key)
        };
        session.put_retention(&seen).await.unwrap();
    }
    assert_eq!(due(&mut *session, 1).await, [""; 0]);
    // Another version of it, its absence, and its return.
    let other = ResourceRow {
        etag: "2".to_owned(),
        ..resource("/v/j", "i")
    };
    session.put_resource(&other).await.unwrap();
    session
        .set_resource_deleted("/v/j", Some(start()))
        .await
        .unwrap();
    assert_eq!(due(&mut *session, 1).await, [""; 0]);
    session.set_resource_deleted("/v/j", None).await.unwrap();
    assert_eq!(due(&mut *session, 1).await, ["/v/j"]);
    session.delete_resource("/v/j").await.unwrap();
    assert_eq!(session.recovery_point_changes("/v/j").await.unwrap(), 0);
    assert_eq!(due(&mut *session, 1).await, [""; 0]);
}

/// A look that went by the first version of everything, and wants the next one two hours after the start.
fn seen(instance_key: &str) -> RetentionRow {
    RetentionRow {
        instance_key: instance_key.to_owned(),
        instance_etag: "1".to_owned(),
        policy_key: "/v/p".to_owned(),
        policy_etag: Some("1".to_owned()),
        changes: 0,
        due_at: Some(start() + 2.hours()),
    }
}

/// Keys of the instances that are due so many hours after the start, one page each.
async fn due(session: &mut dyn Session, hours: i64) -> Vec<String> {
    let now = start() + hours.hours();
    let mut found = Vec::new();
    loop {
        let after = found.last().cloned();
        let page = session.due_retention("i", now, after.as_deref(), 1).await;
        let page = page.unwrap();
        found.extend(page.rows.into_iter().map(|row| row.key));
        if !page.more {
            return found;
        }
    }
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
