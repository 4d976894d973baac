//! What every database behind the store must do: all of [`run_all`], each part with an empty store.

mod audit;
mod deleted;
mod history;
mod leases;
mod operations;
mod policy;
mod role_assignments;

use jiff::{Timestamp, ToSpan as _};
use serde_json::json;
use uuid::Uuid;

use super::{
    JobFilter, JobRow, OperationRow, OperationStatus, RecoveryPointRow, ResourceRow, Store,
    StoreError, TimeCursor, UseRow,
};

fn start() -> Timestamp {
    "2026-01-02T03:04:05.000006Z".parse().unwrap()
}

fn resource(key: &str, kind: &str) -> ResourceRow {
    ResourceRow {
        key: key.to_owned(),
        kind: kind.to_owned(),
        id: key.to_uppercase(),
        name: key.rsplit('/').next().unwrap().to_owned(),
        body: json!({"properties": {"text": "ä", "number": 1.5}}),
        etag: "1".to_owned(),
        created_at: start(),
        updated_at: start(),
        created_by: None,
        updated_by: None,
        deleted_at: None,
    }
}

fn job(number: u128, minutes: i64) -> JobRow {
    JobRow {
        id: Uuid::from_u128(number),
        vault_key: "/v".to_owned(),
        instance_key: "/v/i".to_owned(),
        cluster_key: "/c".to_owned(),
        operation: "Backup".to_owned(),
        status: "InProgress".to_owned(),
        step: "create".to_owned(),
        progress: json!({}),
        resource_name: None,
        request: json!({"tag": "Default"}),
        result: json!(null),
        error: json!(null),
        created_at: start() + minutes.minutes(),
        started_at: None,
        ended_at: None,
        next_poll_at: Some(start() + minutes.minutes()),
        generation: 0,
    }
}

fn point(number: u128, minutes: i64) -> RecoveryPointRow {
    RecoveryPointRow {
        id: Uuid::from_u128(number),
        instance_key: "/v/i".to_owned(),
        vault_key: "/v".to_owned(),
        job_id: Uuid::from_u128(1),
        created_at: start() + minutes.minutes(),
        expires_at: None,
        body: json!({"digest": "d"}),
        expiring_since: None,
    }
}

fn operation(id: &str, minutes: i64) -> OperationRow {
    OperationRow {
        id: id.to_owned(),
        kind: "StartJob".to_owned(),
        scope_key: "/s".to_owned(),
        resource_id: "/s/r".to_owned(),
        location: "here".to_owned(),
        status: OperationStatus::InProgress,
        request: json!({"asked": "for this"}),
        holder: Some(Uuid::from_u128(5)),
        job_id: Some("j".to_owned()),
        result: json!(null),
        error: json!(null),
        created_at: start() + minutes.minutes(),
        ended_at: None,
    }
}

async fn with(store: &Store, rows: &[ResourceRow]) {
    let mut session = store.begin().await.unwrap();
    for row in rows {
        session.put_resource(row).await.unwrap();
    }
    session.commit().await.unwrap();
}

async fn what_is_not_committed_is_not_there(store: Store) {
    let mut session = store.begin().await.unwrap();
    session.put_resource(&resource("/a", "t")).await.unwrap();
    assert!(
        session.resource("/a").await.unwrap().is_some(),
        "a session sees its own writes"
    );
    drop(session);
    assert!(
        store
            .read()
            .await
            .unwrap()
            .resource("/a")
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_reader_sees_one_moment_and_cannot_write(store: Store) {
    with(&store, &[resource("/a", "t")]).await;
    let mut reader = store.read().await.unwrap();
    assert!(reader.resource("/b").await.unwrap().is_none());
    with(&store, &[resource("/b", "t")]).await;
    assert!(reader.resource("/b").await.unwrap().is_none());
    let refused = reader.put_resource(&resource("/c", "t")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Database { .. }));
}

async fn a_resource_reads_back_as_written_and_keeps_its_birth(store: Store) {
    let first = resource("/a", "t");
    with(&store, std::slice::from_ref(&first)).await;
    let mut reader = store.read().await.unwrap();
    let found = reader.resource("/a").await.unwrap().unwrap();
    drop(reader);
    assert_eq!(found, first);
    let second = ResourceRow {
        id: "other".to_owned(),
        body: json!({}),
        etag: "2".to_owned(),
        created_at: start() + 1.hour(),
        updated_at: start() + 1.hour(),
        ..first.clone()
    };
    with(&store, std::slice::from_ref(&second)).await;
    let mut reader = store.read().await.unwrap();
    let found = reader.resource("/a").await.unwrap().unwrap();
    drop(reader);
    assert_eq!(
        found,
        ResourceRow {
            id: first.id,
            created_at: start(),
            ..second
        }
    );
}

async fn a_replace_needs_the_version_it_was_made_from(store: Store) {
    with(&store, &[resource("/a", "t")]).await;
    let mut session = store.begin().await.unwrap();
    let next = ResourceRow {
        etag: "2".to_owned(),
        ..resource("/a", "t")
    };
    assert!(session.replace_resource(&next, "1").await.unwrap());
    assert!(!session.replace_resource(&next, "1").await.unwrap());
}

async fn lists_stay_within_kind_and_scope_and_page_by_key(store: Store) {
    let keys = ["/s/a", "/s/b", "/s/c", "/s2/a", "/s", "/s/a/x"];
    let rows: Vec<_> = keys.iter().map(|key| resource(key, "t")).collect();
    with(&store, &rows).await;
    with(&store, &[resource("/s/other", "u")]).await;
    let mut session = store.read().await.unwrap();
    let first = session.resources("t", "/s/", None, 2).await.unwrap();
    let names: Vec<_> = first.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!((names, first.more), (vec!["/s/a", "/s/a/x"], true));
    let second = session
        .resources("t", "/s/", Some("/s/a/x"), 2)
        .await
        .unwrap();
    let names: Vec<_> = second.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!((names, second.more), (vec!["/s/b", "/s/c"], false));
    assert_eq!(session.descendants("/s/", 10).await.unwrap().len(), 5);
}

async fn what_is_needed_is_not_deleted_and_secrets_go_with_their_owner(store: Store) {
    with(
        &store,
        &[resource("/policy", "p"), resource("/instance", "i")],
    )
    .await;
    let edge = UseRow {
        user_key: "/instance".to_owned(),
        role: "policy".to_owned(),
        target_key: "/policy".to_owned(),
    };
    let mut session = store.begin().await.unwrap();
    session.put_use(&edge).await.unwrap();
    session.put_use(&edge).await.unwrap();
    session
        .put_secret("/instance", "key", b"sealed")
        .await
        .unwrap();
    session.commit().await.unwrap();
    let mut session = store.begin().await.unwrap();
    assert_eq!(
        session.users_of("/policy", 10).await.unwrap(),
        std::slice::from_ref(&edge)
    );
    assert_eq!(session.used_by("/instance").await.unwrap(), [edge]);
    assert!(session.delete_resource("/policy").await.is_err());
    drop(session);
    let mut session = store.begin().await.unwrap();
    assert!(session.delete_resource("/instance").await.unwrap());
    assert!(!session.delete_resource("/instance").await.unwrap());
    assert_eq!(session.secret("/instance", "key").await.unwrap(), None);
    assert!(session.delete_resource("/policy").await.unwrap());
}

async fn a_job_is_moved_on_by_one_writer_only(store: Store) {
    let mut session = store.begin().await.unwrap();
    session.insert_job(&job(1, 0)).await.unwrap();
    let mut row = session.job(Uuid::from_u128(1)).await.unwrap().unwrap();
    assert_eq!(row, job(1, 0));
    row.step = "observe".to_owned();
    row.ended_at = Some(start() + 1.hour());
    assert!(session.update_job(&row).await.unwrap());
    assert!(
        !session.update_job(&row).await.unwrap(),
        "the generation has moved on"
    );
    let now = session.job(Uuid::from_u128(1)).await.unwrap().unwrap();
    assert_eq!(
        now,
        JobRow {
            generation: 1,
            ..row
        }
    );
}

async fn due_jobs_are_those_whose_time_has_come(store: Store) {
    let mut session = store.begin().await.unwrap();
    assert_eq!(session.next_poll().await.unwrap(), None);
    let ended = JobRow {
        next_poll_at: None,
        ended_at: Some(start()),
        ..job(3, 0)
    };
    for row in [job(1, 10), job(2, 5), ended] {
        session.insert_job(&row).await.unwrap();
    }
    assert_eq!(
        session.next_poll().await.unwrap(),
        Some(start() + 5.minutes())
    );
    let due = session
        .due_jobs(start() + 5.minutes(), &[], &[], 10)
        .await
        .unwrap();
    assert_eq!(due, [job(2, 5)]);
    assert_eq!(
        session
            .due_jobs(start() + 1.hour(), &[], &[], 1)
            .await
            .unwrap(),
        [job(2, 5)]
    );
    // A clock that was hours ahead has been put right.
    assert_eq!(session.due_jobs(start(), &[], &[], 10).await.unwrap(), []);
    let put_back = session
        .due_jobs(start() - 2.hours(), &[], &[], 10)
        .await
        .unwrap();
    assert_eq!(put_back, [job(2, 5), job(1, 10)]);
    assert_eq!(
        session.open_jobs_of_instance("/v/i").await.unwrap().len(),
        2
    );
    assert_eq!(session.open_jobs_of_cluster("/c").await.unwrap().len(), 2);
}

async fn jobs_are_listed_newest_first(store: Store) {
    let mut session = store.begin().await.unwrap();
    for number in 1..=4 {
        // Two and two at the same time: the id breaks the tie.
        session
            .insert_job(&job(number, i64::try_from(number).unwrap() / 2))
            .await
            .unwrap();
    }
    let filter = JobFilter {
        vault_key: "/v".to_owned(),
        ..JobFilter::default()
    };
    let numbers = |rows: &[JobRow]| rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>();
    let first = session.jobs(&filter, None, 3).await.unwrap();
    assert_eq!((numbers(&first.rows), first.more), (vec![4, 3, 2], true));
    let last = first.rows.last().unwrap();
    let after = TimeCursor {
        created_at: last.created_at,
        id: last.id,
    };
    session.insert_job(&job(9, 60)).await.unwrap();
    let second = session.jobs(&filter, Some(after), 3).await.unwrap();
    assert_eq!((numbers(&second.rows), second.more), (vec![1], false));
}

async fn jobs_are_filtered_by_what_clients_ask_for(store: Store) {
    let mut session = store.begin().await.unwrap();
    for number in 1..=5 {
        session
            .insert_job(&job(number, i64::try_from(number).unwrap() / 2))
            .await
            .unwrap();
    }
    let filter = JobFilter {
        vault_key: "/v".to_owned(),
        ..JobFilter::default()
    };
    for (filter, count) in [
        (
            JobFilter {
                operation: Some("backup".to_owned()),
                ..filter.clone()
            },
            5,
        ),
        (
            JobFilter {
                operation: Some("Restore".to_owned()),
                ..filter.clone()
            },
            0,
        ),
        (
            JobFilter {
                status: Some("INPROGRESS".to_owned()),
                ..filter.clone()
            },
            5,
        ),
        (
            JobFilter {
                instance_key: Some("/v/j".to_owned()),
                ..filter.clone()
            },
            0,
        ),
        (
            JobFilter {
                from: Some(start() + 1.minutes()),
                until: Some(start() + 2.minutes()),
                ..filter.clone()
            },
            4,
        ),
        (
            JobFilter {
                vault_key: "/other".to_owned(),
                ..filter.clone()
            },
            0,
        ),
    ] {
        assert_eq!(
            session.jobs(&filter, None, 10).await.unwrap().rows.len(),
            count,
            "{filter:?}"
        );
    }
}

async fn recovery_points_are_listed_newest_first_within_bounds(store: Store) {
    with(&store, &[resource("/v/i", "i")]).await;
    let mut session = store.begin().await.unwrap();
    for number in 1..=3 {
        session
            .insert_recovery_point(&point(number, i64::try_from(number).unwrap()))
            .await
            .unwrap();
    }
    let one = session
        .recovery_point(Uuid::from_u128(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(one, point(2, 2));
    let page = session
        .recovery_points("/v/i", (None, None), None, 2)
        .await
        .unwrap();
    assert_eq!(
        (page.rows, page.more),
        (vec![point(3, 3), point(2, 2)], true)
    );
    let after = Some(TimeCursor {
        created_at: one.created_at,
        id: one.id,
    });
    let page = session
        .recovery_points("/v/i", (None, None), after, 2)
        .await
        .unwrap();
    assert_eq!((page.rows, page.more), (vec![point(1, 1)], false));
    let bounds = (Some(start() + 2.minutes()), Some(start() + 2.minutes()));
    let page = session
        .recovery_points("/v/i", bounds, None, 9)
        .await
        .unwrap();
    assert_eq!(page.rows, [point(2, 2)]);
    assert!(
        session
            .delete_recovery_point(Uuid::from_u128(2))
            .await
            .unwrap()
    );
    assert!(
        !session
            .delete_recovery_point(Uuid::from_u128(2))
            .await
            .unwrap()
    );
    session.delete_resource("/v/i").await.unwrap();
    assert!(
        session
            .recovery_point(Uuid::from_u128(1))
            .await
            .unwrap()
            .is_none()
    );
}

/// Runs the whole suite; `empty` opens a new empty store for each part.
pub(crate) async fn run_all(empty: impl AsyncFn() -> Store) {
    what_is_not_committed_is_not_there(empty().await).await;
    a_reader_sees_one_moment_and_cannot_write(empty().await).await;
    a_resource_reads_back_as_written_and_keeps_its_birth(empty().await).await;
    a_replace_needs_the_version_it_was_made_from(empty().await).await;
    lists_stay_within_kind_and_scope_and_page_by_key(empty().await).await;
    what_is_needed_is_not_deleted_and_secrets_go_with_their_owner(empty().await).await;
    a_job_is_moved_on_by_one_writer_only(empty().await).await;
    due_jobs_are_those_whose_time_has_come(empty().await).await;
    jobs_are_listed_newest_first(empty().await).await;
    jobs_are_filtered_by_what_clients_ask_for(empty().await).await;
    recovery_points_are_listed_newest_first_within_bounds(empty().await).await;
    operations::an_operation_ends_once(empty().await).await;
    operations::an_operation_is_taken_over_until_it_ends(empty().await).await;
    leases::a_lease_reads_back_as_written_and_is_forgotten(empty().await).await;
    leases::who_works_by_a_lease_commits_in_its_term_only(empty().await).await;
    audit::entries_follow_each_other_and_are_forgotten_from_the_beginning(empty().await).await;
    audit::what_a_call_writes_and_its_entry_become_durable_together(empty().await).await;
    history::settings_are_overwritten(empty().await).await;
    history::due_jobs_of_a_crowded_cluster_stand_aside(empty().await).await;
    history::open_jobs_are_counted_by_their_step(empty().await).await;
    history::old_jobs_go_unless_they_wait_for_something(empty().await).await;
    history::old_operations_go_and_open_ones_stay(empty().await).await;
    history::repositories_are_known_as_long_as_their_instance(empty().await).await;
    history::the_body_of_a_recovery_point_is_written_anew(empty().await).await;
    history::types_that_were_served_are_read_with_their_point_alone(empty().await).await;
    policy::a_schedule_is_kept_as_long_as_its_instance(empty().await).await;
    policy::the_times_of_points_are_told_until_they_are_marked(empty().await).await;
    policy::retention_looks_again_when_what_it_went_by_has_changed(empty().await).await;
    policy::retention_leaves_instances_that_are_away_alone(empty().await).await;
    policy::the_last_point_is_the_one_that_was_inserted_last(empty().await).await;
    deleted::what_is_put_aside_is_not_there_and_comes_back_whole(empty().await).await;
    deleted::an_edge_is_taken_back_and_leaves_the_others(empty().await).await;
    role_assignments::a_role_is_had_once_at_a_scope(empty().await).await;
    role_assignments::roles_go_with_the_resource_that_they_are_assigned_at(empty().await).await;
}
