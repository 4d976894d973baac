//! The embedded store keeps the contract of all stores, and its own promises.

use super::*;
use crate::store::copied::complete::every_column_is_copied;
use crate::store::{Store, copied, suite};

#[tokio::test]
async fn sqlite_does_what_every_store_must() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    suite::run_all(async || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = dir.path().join(format!("{number}.db"));
        Store::new(SqliteDatabase::open(&file).await.unwrap())
    })
    .await;
}

#[tokio::test]
async fn a_store_opens_again_with_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("strongroom.db");
    let store = Store::new(SqliteDatabase::open(&file).await.unwrap());
    let mut session = store.begin().await.unwrap();
    session.put_setting("a", "1").await.unwrap();
    session.commit().await.unwrap();
    store.close().await;
    let store = Store::new(SqliteDatabase::open(&file).await.unwrap());
    let value = store.read().await.unwrap().setting("a").await.unwrap();
    assert_eq!(value.as_deref(), Some("1"));
}

#[tokio::test]
async fn repositories_that_older_versions_wrote_to_are_found_in_jobs_and_points() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
        .await
        .unwrap();
    for statement in [
        "INSERT INTO resources (key, kind, id, name, body, etag, created_at, updated_at)
            VALUES ('/v/i', 'k', '/V/I', 'i', '{}', 'e', 0, 0)",
        r#"INSERT INTO jobs VALUES ('j', '/v', '/v/i', '/c', 'Backup', 'Failed', 'Done', '{}', NULL,
            '{"kind":"Backup","repository":{"containerId":"/C","prefix":"of-job"}}',
            'null', 'null', 0, NULL, 1, NULL, 0)"#,
        r#"INSERT INTO jobs VALUES ('p', '/v', '/v/i', '/c', 'Purge', 'Failed', 'Done', '{}', NULL,
            '{"kind":"Purge","repositories":[]}', 'null', 'null', 0, NULL, 1, NULL, 0)"#,
        r#"INSERT INTO recovery_points (id, instance_key, vault_key, job_id, created_at, expires_at, body)
            VALUES ('r', '/v/i', '/v', 'j', 0, NULL,
            '{"repository":{"containerId":"/C","prefix":"of-point"}}')"#,
    ]
    .into_iter()
    .chain(
        include_str!("../migrations/sqlite/0003_history.sql")
            .split(';')
            .filter(|statement| statement.trim_start().starts_with("INSERT")),
    ) {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&database.writer)
            .await
            .unwrap();
    }
    let mut session = database.read().await.unwrap();
    let found = session.repositories("/v/i").await.unwrap();
    let prefixes: Vec<&str> = found.iter().map(|row| row.prefix.as_str()).collect();
    assert_eq!(prefixes, ["of-job", "of-point"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_from_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
        .await
        .unwrap();
    let mut session = database.begin().await.unwrap();
    let edge = crate::store::UseRow {
        user_key: "/nobody".to_owned(),
        role: "policy".to_owned(),
        target_key: "/nothing".to_owned(),
    };
    let refused = session.put_use(&edge).await.unwrap_err();
    assert!(!refused.is_unavailable(), "{refused}");
}

#[tokio::test]
async fn lists_and_due_jobs_walk_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
        .await
        .unwrap();
    for (query, index) in [
        (
            "SELECT * FROM resources WHERE kind = 'k' AND key > 'a' AND key < 'b' ORDER BY key",
            "resources_by_kind",
        ),
        (
            "SELECT * FROM jobs WHERE vault_key = 'v' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
            "jobs_by_vault",
        ),
        (
            "SELECT * FROM jobs WHERE next_poll_at IS NOT NULL AND (next_poll_at <= 1 OR next_poll_at > 2) ORDER BY next_poll_at",
            "jobs_due",
        ),
        (
            "SELECT * FROM recovery_points WHERE instance_key = 'i' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
            "recovery_points_by_instance",
        ),
        (
            "SELECT * FROM operations WHERE ended_at IS NULL ORDER BY created_at, id",
            "operations_open",
        ),
        (
            "SELECT id, created_at, expires_at, tag FROM recovery_points WHERE instance_key = 'i' AND (created_at, id) < (1, 'x')
                AND expires_at IS NOT NULL AND expiring_since IS NULL ORDER BY created_at DESC, id DESC",
            "COVERING INDEX recovery_points_by_instance",
        ),
        (
            "SELECT * FROM recovery_points WHERE expiring_since IS NOT NULL AND id > 'x' ORDER BY id",
            "recovery_points_expiring",
        ),
        (
            "SELECT id FROM recovery_points WHERE instance_key = 'i' ORDER BY sequence DESC LIMIT 1",
            "recovery_points_by_sequence",
        ),
        (
            "SELECT * FROM jobs WHERE instance_key = 'i' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
            "jobs_by_instance",
        ),
        (
            "SELECT * FROM jobs WHERE instance_key = 'i' AND next_poll_at IS NOT NULL AND ended_at IS NOT NULL",
            "jobs_waiting_by_instance",
        ),
        (
            "SELECT * FROM jobs WHERE ended_at IS NOT NULL AND next_poll_at IS NULL AND ended_at < 1 AND (ended_at, id) > (0, '') ORDER BY ended_at, id",
            "jobs_ended",
        ),
        (
            "SELECT id FROM operations WHERE ended_at < 1 ORDER BY ended_at LIMIT 5",
            "operations_ended",
        ),
        (
            "SELECT * FROM uses WHERE target_key = 'k' ORDER BY user_key",
            "uses_by_target",
        ),
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")))
                .fetch_all(&database.writer)
                .await
                .unwrap();
        let plan: String = plan.into_iter().map(|step| step.3).collect();
        assert!(plan.contains(index), "{query}: {plan}");
    }
}

#[tokio::test]
async fn points_of_older_versions_get_their_tag_and_the_types_a_column_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(dir.path().join("strongroom.db"));
    let pool = SqlitePool::connect_with(options.create_if_missing(true))
        .await
        .unwrap();
    for statements in [
        include_str!("../migrations/sqlite/0001_initial.sql"),
        include_str!("../migrations/sqlite/0004_schedules.sql"),
        "INSERT INTO resources (key, kind, id, name, body, etag, created_at, updated_at)
            VALUES ('/v/i', 'k', '/V/I', 'i', '{}', 'e', 0, 0)",
        r#"INSERT INTO recovery_points (id, instance_key, vault_key, job_id, created_at, expires_at, body)
            VALUES ('00000000-0000-0000-0000-000000000001', '/v/i', '/v',
                '00000000-0000-0000-0000-000000000002', 0, NULL,
                '{"properties":{"retentionTagName":"Weekly"},"servedTypes":[{"resource":"pods"}]}'),
            ('00000000-0000-0000-0000-000000000003', '/v/i', '/v',
                '00000000-0000-0000-0000-000000000004', 1, NULL, '{"properties":{},"servedTypes":null}')"#,
        include_str!("../migrations/sqlite/0008_retention_looks.sql"),
    ] {
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
    }
    let held: Vec<(String, String, Option<String>)> =
        sqlx::query_as("SELECT body, tag, served_types FROM recovery_points ORDER BY created_at")
            .fetch_all(&pool)
            .await
            .unwrap();
    let weekly = r#"{"properties":{"retentionTagName":"Weekly"}}"#.to_owned();
    let types = r#"[{"resource":"pods"}]"#.to_owned();
    let expected = [
        (weekly, "Weekly".to_owned(), Some(types)),
        (r#"{"properties":{}}"#.to_owned(), String::new(), None),
    ];
    assert_eq!(held, expected);
}

#[tokio::test]
async fn a_database_that_is_full_or_takes_no_writes_says_so_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&dir.path().join("strongroom.db")).await;
    let database = database.unwrap();
    let writer = database.writer.clone();
    let store = Store::new(database);
    let write = async |name: &str, value: &str| {
        let mut session = store.begin().await?;
        session.put_setting(name, value).await?;
        session.commit().await
    };
    write("kept", "1").await.unwrap();
    let much = "x".repeat(1_000_000);
    for (trouble, relief) in [
        // Of a database that has this many pages already.
        (
            "PRAGMA max_page_count = 1",
            "PRAGMA max_page_count = 1000000",
        ),
        ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    ] {
        sqlx::query(trouble).execute(&writer).await.unwrap();
        let refused = write("lost", &much).await.unwrap_err();
        assert!(refused.is_unavailable(), "{trouble}: {refused:?}");
        let mut session = store.read().await.unwrap();
        assert_eq!(session.setting("kept").await.unwrap().unwrap(), "1");
        assert_eq!(session.setting("lost").await.unwrap(), None, "{trouble}");
        drop(session);
        sqlx::query(relief).execute(&writer).await.unwrap();
        write("kept", "1").await.unwrap();
    }
    write("lost", &much).await.unwrap();
}

#[tokio::test]
async fn every_table_and_column_is_in_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
        .await
        .unwrap();
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'",
    )
    .fetch_all(&database.readers)
    .await
    .unwrap();
    let mut session = database.read().await.unwrap();
    every_column_is_copied(&found, copied::SCHEMA, &mut *session).await;
}
