//! For tests: catalogues on the PostgreSQL server that `STRONGROOM_TEST_POSTGRES` names, each in a schema of
//! its own. A database for each would be hundreds of files more, which takes minutes to make and remove.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// The URL of a server whose user may make schemas.
const VARIABLE: &str = "STRONGROOM_TEST_POSTGRES";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether no server was named; says so.
pub(crate) fn is_absent() -> bool {
    let absent = std::env::var_os(VARIABLE).is_none();
    if absent {
        println!("left out: {VARIABLE} names no server");
    }
    absent
}

/// The URL of an empty schema of its own; none when no server was named.
pub(crate) async fn new_catalogue() -> Option<String> {
    let mut server: url::Url = std::env::var(VARIABLE).ok()?.parse().unwrap();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("strongroom_test_{}_{number}", std::process::id());
    let options = PgConnectOptions::from_url(&server).unwrap();
    let mut connection = options.connect().await.unwrap();
    let statement = format!("CREATE SCHEMA {name}");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    server
        .query_pairs_mut()
        .append_pair("options[search_path]", &name);
    Some(server.into())
}

/// Does something to a database that the store does not do.
pub(crate) async fn execute(url: &str, statement: &'static str) {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// What a database holds of documents, settings and secrets, as bytes.
pub(crate) async fn bytes_of(url: &str) -> Vec<u8> {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let held: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT convert_to(body, 'UTF8') FROM resources
         UNION ALL SELECT convert_to(value, 'UTF8') FROM settings
         UNION ALL SELECT ciphertext FROM secrets",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    held.concat()
}
