//! PostgreSQL keeps the contract of all stores. `STRONGROOM_TEST_POSTGRES` names a server whose user may
//! make schemas; `cargo xtask test` starts one. Without it these tests say that they were left out.

use super::*;
use crate::store::copied::complete::every_column_is_copied;
use crate::store::{Store, copied, suite};
use crate::testing::postgres;

#[tokio::test]
async fn postgres_does_what_every_store_must() {
    if postgres::is_absent() {
        return;
    }
    suite::run_all(async || {
        let url = postgres::new_catalogue().await.unwrap();
        Store::new(PostgresDatabase::open(&url).await.unwrap())
    })
    .await;
}

#[tokio::test]
async fn two_servers_write_one_after_the_other_and_see_what_the_other_wrote() {
    if postgres::is_absent() {
        return;
    }
    const EACH: usize = 50;
    let url = postgres::new_catalogue().await.unwrap();
    let one = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let other = Store::new(PostgresDatabase::open(&url).await.unwrap());
    // What is read, decided and written in one session is lost when another comes in between.
    let count_up = async |store: Store| {
        for _ in 0..EACH {
            let mut session = store.begin().await.unwrap();
            let read = session.setting("count").await.unwrap();
            let read: usize = read.map_or(0, |text| text.parse().unwrap());
            tokio::task::yield_now().await;
            let text = (read + 1).to_string();
            session.put_setting("count", &text).await.unwrap();
            session.commit().await.unwrap();
        }
    };
    tokio::join!(count_up(one.clone()), count_up(other));
    let counted = one.read().await.unwrap().setting("count").await.unwrap();
    assert_eq!(counted.unwrap(), (2 * EACH).to_string());
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_keeps_the_others_from_writing_for_a_while_only() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let asleep = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let awake = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let mut session = asleep.begin().await.unwrap();
    session.put_setting("a", "1").await.unwrap();
    let mut next = awake.begin().await.unwrap();
    assert_eq!(next.setting("a").await.unwrap(), None);
    next.put_setting("a", "2").await.unwrap();
    next.commit().await.unwrap();
    let too_late = session.commit().await.unwrap_err();
    assert!(too_late.is_unavailable(), "{too_late:?}");
    let held = asleep.read().await.unwrap().setting("a").await.unwrap();
    assert_eq!(held.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_server_whose_connection_breaks_goes_on_with_another_one() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let database = PostgresDatabase::open(&url).await.unwrap();
    let broken: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&database.writer)
        .await
        .unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(broken)
        .execute(&database.readers)
        .await
        .unwrap();
    let store = Store::new(database);
    let mut session = store.begin().await.unwrap();
    session.put_setting("a", "1").await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn a_reader_waits_for_no_writer_and_sees_what_was_committed() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let store = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let mut writing = store.begin().await.unwrap();
    writing.put_setting("a", "1").await.unwrap();
    let mut reading = store.read().await.unwrap();
    assert_eq!(reading.setting("a").await.unwrap(), None);
    writing.commit().await.unwrap();
    assert_eq!(reading.setting("a").await.unwrap(), None, "one moment");
    reading.put_setting("a", "2").await.unwrap_err();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_from_what_is_wrong() {
    let away = PostgresDatabase::open("postgres://nobody@127.0.0.1:1/strongroom").await;
    assert!(away.err().unwrap().is_unavailable());
    let wrong = PostgresDatabase::open("postgres://[").await.err().unwrap();
    assert!(!wrong.is_unavailable(), "{wrong:?}");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_says_so_and_loses_nothing() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let database = PostgresDatabase::open(&url).await.unwrap();
    let writer = database.writer.clone();
    let store = Store::new(database);
    for (read_only, is_refused) in [("on", true), ("off", false)] {
        // As on a server that became a standby.
        let statement = format!("SET default_transaction_read_only = {read_only}");
        let set = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&writer);
        set.await.unwrap();
        let mut session = store.begin().await.unwrap();
        let written = session.put_setting("a", "1").await;
        let refused = written.is_err_and(|error| error.is_unavailable());
        assert_eq!(refused, is_refused, "{read_only}");
        drop(session);
    }
}

#[tokio::test]
async fn every_table_and_column_is_in_a_copy() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let database = PostgresDatabase::open(&url).await.unwrap();
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&database.readers)
    .await
    .unwrap();
    let newest = copied::SCHEMA - copied::POSTGRES_LAG;
    let mut session = database.read().await.unwrap();
    every_column_is_copied(&found, newest, &mut *session).await;
}

#[tokio::test]
async fn a_copy_is_made_beside_the_servers_that_write() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let store = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let mut writing = store.begin().await.unwrap();
    let mut beside = snapshot(&url).await.unwrap();
    assert_eq!(beside.setting("a").await.unwrap(), None);
    writing.put_setting("a", "1").await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(beside.setting("a").await.unwrap(), None, "one moment");
    assert!(beside.put_setting("a", "2").await.is_err());
}
