//! PostgreSQL keeps the contract of all stores. `STRONGROOM_TEST_POSTGRES` names a server whose user may
//! make schemas; `cargo xtask test` starts one. Without it these tests say that they were left out.

use super::*;
use crate::store::{Store, suite};
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
async fn a_second_server_has_no_seat_until_the_first_is_gone() {
    if postgres::is_absent() {
        return;
    }
    let url = postgres::new_catalogue().await.unwrap();
    let first = Store::new(PostgresDatabase::open(&url).await.unwrap());
    let mut session = first.begin().await.unwrap();
    session.put_setting("a", "1").await.unwrap();
    session.commit().await.unwrap();
    let refused = PostgresDatabase::open(&url).await.err().unwrap();
    assert!(refused.is_unavailable(), "{refused:?}");
    let waiting = tokio::spawn(async move { PostgresDatabase::open(&url).await });
    first.close().await;
    let second = Store::new(waiting.await.unwrap().unwrap());
    let held = second.read().await.unwrap().setting("a").await.unwrap();
    assert_eq!(held.as_deref(), Some("1"));
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
    let refused = reading.put_setting("a", "2").await.unwrap_err();
    assert!(!refused.is_unavailable(), "{refused:?}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_from_what_is_wrong() {
    let away = PostgresDatabase::open("postgres://nobody@127.0.0.1:1/strongroom").await;
    assert!(away.err().unwrap().is_unavailable());
    let wrong = PostgresDatabase::open("postgres://[").await.err().unwrap();
    assert!(!wrong.is_unavailable(), "{wrong:?}");
}
