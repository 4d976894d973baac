//! What is kept of the past, and what lets it go.

use jiff::ToSpan as _;
use serde_json::json;
use uuid::Uuid;

use super::{job, operation, point, resource, start};
use crate::store::{JobRow, OperationRow, OperationStatus, RecoveryPointRow, RepositoryRow, Store};

pub(super) async fn due_jobs_of_a_crowded_cluster_stand_aside(store: Store) {
    let mut session = store.begin().await.unwrap();
    let elsewhere = JobRow {
        cluster_key: "/d".to_owned(),
        ..job(3, 2)
    };
    for row in [job(1, 0), job(2, 1), elsewhere.clone()] {
        session.insert_job(&row).await.unwrap();
    }
    let now = start() + 5.minutes();
    let crowded = ["/c".to_owned()];
    let due = session.due_jobs(now, &crowded, &[], 10).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&elsewhere));
    let in_hand = [Uuid::from_u128(1)];
    let due = session.due_jobs(now, &[], &in_hand, 10).await.unwrap();
    assert_eq!(due, [job(2, 1), elsewhere]);
}

pub(super) async fn open_jobs_are_counted_by_their_step(store: Store) {
    let mut session = store.begin().await.unwrap();
    for (number, step, ended_at) in [
        (1, "Admit", None),
        (2, "Observe", None),
        (3, "Observe", None),
        (4, "Observe", Some(start())),
    ] {
        let row = JobRow {
            step: step.to_owned(),
            ended_at,
            ..job(number, 0)
        };
        session.insert_job(&row).await.unwrap();
    }
    assert_eq!(session.count_open_jobs(&[]).await.unwrap(), 3);
    assert_eq!(
        session.count_open_jobs(&["Admit", "Purge"]).await.unwrap(),
        2
    );
}

pub(super) async fn old_jobs_go_unless_they_wait_for_something(store: Store) {
    let mut session = store.begin().await.unwrap();
    let ended = |number, minutes: i64, waits: bool| JobRow {
        ended_at: Some(start() + minutes.minutes()),
        next_poll_at: waits.then_some(start()),
        ..job(number, 0)
    };
    for row in [
        ended(1, 1, false),
        ended(2, 2, true),
        ended(3, 3, false),
        ended(4, 60, false),
        job(5, 0),
    ] {
        session.insert_job(&row).await.unwrap();
    }
    let before = start() + 30.minutes();
    let first = session.ended_jobs(before, None, 1).await.unwrap();
    assert_eq!(first, [ended(1, 1, false)]);
    let after = Some((start() + 1.minutes(), Uuid::from_u128(1)));
    let rest = session.ended_jobs(before, after, 10).await.unwrap();
    assert_eq!(rest, [ended(3, 3, false)]);
    let waiting = session.waiting_jobs_of_instance("/v/i").await.unwrap();
    assert_eq!(waiting, [ended(2, 2, true)]);
    assert!(session.delete_job(Uuid::from_u128(1)).await.unwrap());
    assert!(!session.delete_job(Uuid::from_u128(1)).await.unwrap());
}

pub(super) async fn old_operations_go_and_open_ones_stay(store: Store) {
    let mut session = store.begin().await.unwrap();
    session
        .insert_operation(&operation("open", 0))
        .await
        .unwrap();
    for (id, minutes) in [("a", 1_i64), ("b", 2), ("new", 60)] {
        session.insert_operation(&operation(id, 0)).await.unwrap();
        let ended = OperationRow {
            status: OperationStatus::Succeeded,
            ended_at: Some(start() + minutes.minutes()),
            ..operation(id, 0)
        };
        assert!(session.finish_operation(&ended).await.unwrap());
    }
    let before = start() + 30.minutes();
    assert_eq!(session.delete_ended_operations(before, 1).await.unwrap(), 1);
    assert!(session.operation("a").await.unwrap().is_none());
    assert_eq!(
        session.delete_ended_operations(before, 10).await.unwrap(),
        1
    );
    for id in ["open", "new"] {
        assert!(session.operation(id).await.unwrap().is_some(), "{id}");
    }
}

pub(super) async fn repositories_are_known_as_long_as_their_instance(store: Store) {
    let mut session = store.begin().await.unwrap();
    session
        .put_resource(&resource("/v/i", "instance"))
        .await
        .unwrap();
    let at = |prefix: &str| RepositoryRow {
        instance_key: "/v/i".to_owned(),
        container_id: "/C".to_owned(),
        prefix: prefix.to_owned(),
    };
    for row in [at("b"), at("a"), at("b")] {
        session.put_repository(&row).await.unwrap();
    }
    let found = session.repositories("/v/i").await.unwrap();
    assert_eq!(found, [at("a"), at("b")]);
    assert!(session.delete_resource("/v/i").await.unwrap());
    assert_eq!(session.repositories("/v/i").await.unwrap(), []);
}

pub(super) async fn the_body_of_a_recovery_point_is_written_anew(store: Store) {
    let mut session = store.begin().await.unwrap();
    session
        .put_resource(&resource("/v/i", "instance"))
        .await
        .unwrap();
    session.insert_recovery_point(&point(1, 0)).await.unwrap();
    let (known, unknown) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let body = json!({"digest": "e"});
    assert!(session.put_recovery_point_body(known, &body).await.unwrap());
    assert!(
        !session
            .put_recovery_point_body(unknown, &body)
            .await
            .unwrap()
    );
    let read = session.recovery_point(known).await.unwrap().unwrap();
    assert_eq!(read.body, body);
}

pub(super) async fn types_that_were_served_are_read_with_their_point_alone(store: Store) {
    let mut session = store.begin().await.unwrap();
    session
        .put_resource(&resource("/v/i", "instance"))
        .await
        .unwrap();
    let whole = json!({"digest": "d", "servedTypes": [{"resource": "configmaps"}]});
    let row = RecoveryPointRow {
        body: whole.clone(),
        ..point(1, 0)
    };
    session.insert_recovery_point(&row).await.unwrap();
    let read = session.recovery_point(row.id).await.unwrap().unwrap();
    assert_eq!(read.body, whole);
    let listed = session.recovery_points("/v/i", (None, None), None, 9).await;
    let listed = listed.unwrap().rows.remove(0);
    assert_eq!(listed.body, json!({"digest": "d"}));
    // What was read from a list and is written back loses nothing.
    let verified = json!({"digest": "d", "verified": true});
    let written = session.put_recovery_point_body(row.id, &verified).await;
    assert!(written.unwrap());
    let read = session.recovery_point(row.id).await.unwrap().unwrap();
    assert_eq!(read.body["servedTypes"], whole["servedTypes"]);
    assert_eq!(read.body["verified"], true);
    session
        .mark_recovery_point_expiring(row.id, row.created_at)
        .await
        .unwrap();
    let expiring = session.expiring_recovery_points(None, 9).await.unwrap();
    assert_eq!(expiring[0].body, verified);
}

pub(super) async fn settings_are_overwritten(store: Store) {
    let mut session = store.begin().await.unwrap();
    assert_eq!(session.setting("a").await.unwrap(), None);
    session.put_setting("a", "1").await.unwrap();
    session.put_setting("a", "2").await.unwrap();
    assert_eq!(session.setting("a").await.unwrap().as_deref(), Some("2"));
}
