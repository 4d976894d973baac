//! Copies of catalogues, on SQLite and, where a server is named, on PostgreSQL.

use std::io::{BufReader, Read as _};

use jiff::Timestamp;

use super::*;
use crate::secrets::MASTER_KEY_BYTES;
use crate::store::Store;
use crate::store::copied::Type;
use crate::store::postgres::PostgresDatabase;
use crate::store::sqlite::SqliteDatabase;
use crate::testing::{CountingEntropy, postgres};

/// Columns that may be null; every third row has none there.
const MAY_BE_NULL: &[&str] = &[
    "deleted_at",
    "resource_name",
    "started_at",
    "ended_at",
    "next_poll_at",
    "expires_at",
    "expiring_since",
    "served_types",
    "handled",
    "last_success",
    "due_at",
    "description",
    "holder",
];

/// Columns that name a resource.
const REFERENCES: &[&str] = &["user_key", "target_key", "instance_key"];

/// Texts that somebody could trip over.
const ODD: &[&str] = &[
    "ä",
    "a\"b",
    "line\nbreak",
    "",
    "\u{1F512}",
    "{\"a\":1.50}",
    "\\",
    "'; --",
];

fn keys() -> MasterKey {
    MasterKey::from_bytes(&[1; MASTER_KEY_BYTES]).unwrap()
}

fn made() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn value(table: &Table, (column, kind): (&str, Type), n: i64) -> Value {
    let is_null = n % 3 == 0 && MAY_BE_NULL.contains(&column);
    let odd = ODD[usize::try_from(n).unwrap() % ODD.len()];
    match kind {
        Type::Text if is_null => Value::Text(None),
        Type::Text
            if REFERENCES.contains(&column) || (table.name, column) == ("secrets", "key") =>
        {
            Value::Text(Some(format!("/key/{n}")))
        }
        Type::Text if column == "key" => Value::Text(Some(format!("/key/{n}"))),
        Type::Text => Value::Text(Some(format!("{odd}{column}{n}"))),
        Type::Number if is_null => Value::Number(None),
        Type::Number if n == 1 => Value::Number(Some(i64::MAX)),
        Type::Number if n == 2 => Value::Number(Some(i64::MIN)),
        Type::Number => Value::Number(Some(n)),
        Type::Bytes => {
            let (key, purpose) = (format!("/key/{n}"), format!("{odd}purpose{n}"));
            let sealed = keys().seal(&key, &purpose, odd.as_bytes(), &CountingEntropy::default());
            Value::Bytes(Some(sealed.unwrap()))
        }
    }
}

/// Rows in every table that there is, whatever it is called.
async fn fill(store: &Store) {
    let mut session = store.begin().await.unwrap();
    for table in TABLES {
        for n in 0..20 {
            let row = table.columns.iter().map(|column| value(table, *column, n));
            session.insert_copied(table, row.collect()).await.unwrap();
        }
    }
    session.commit().await.unwrap();
}

async fn copy_of(store: &Store) -> Vec<u8> {
    let mut session = store.read().await.unwrap();
    let about = (made(), "tenant".to_owned());
    let (copy, rows) = write(&mut *session, &keys(), about, Vec::new())
        .await
        .unwrap();
    assert_eq!(rows, u64::try_from(TABLES.len()).unwrap() * 20);
    copy
}

async fn restore(
    store: &Store,
    copy: &[u8],
    now: Option<Timestamp>,
) -> Result<Restored, CopyError> {
    let mut session = store.begin().await.unwrap();
    let restored = read(&mut *session, &keys(), BufReader::new(copy), now).await?;
    session.commit().await.unwrap();
    Ok(restored)
}

async fn sqlite(dir: &std::path::Path, name: &str) -> Store {
    Store::new(SqliteDatabase::open(&dir.join(name)).await.unwrap())
}

async fn is_empty(store: &Store) -> bool {
    require_empty(&mut *store.read().await.unwrap())
        .await
        .is_ok()
}

#[tokio::test]
async fn a_catalogue_comes_back_byte_for_byte_through_either_database() {
    let dir = tempfile::tempdir().unwrap();
    let first = sqlite(dir.path(), "first.db").await;
    fill(&first).await;
    let copy = copy_of(&first).await;
    let between = match postgres::new_catalogue().await {
        Some(url) => Store::new(PostgresDatabase::open(&url).await.unwrap()),
        None => sqlite(dir.path(), "between.db").await,
    };
    restore(&between, &copy, None).await.unwrap();
    assert!(
        copy_of(&between).await == copy,
        "the copy of the copy is another one"
    );
    let last = sqlite(dir.path(), "last.db").await;
    restore(&last, &copy_of(&between).await, None)
        .await
        .unwrap();
    assert!(
        copy_of(&last).await == copy,
        "it did not come back as it was"
    );
}

#[tokio::test]
async fn a_copy_is_one_moment_whatever_is_written_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path(), "one.db").await;
    fill(&store).await;
    let before = copy_of(&store).await;
    let mut reading = crate::store::sqlite::snapshot(&dir.path().join("one.db"))
        .await
        .unwrap();
    assert_eq!(reading.schema().await.unwrap(), SCHEMA);
    let mut session = store.begin().await.unwrap();
    session.put_setting("later", "than the copy").await.unwrap();
    session.commit().await.unwrap();
    let about = (made(), "tenant".to_owned());
    let (copy, _) = write(&mut *reading, &keys(), about, Vec::new())
        .await
        .unwrap();
    assert!(copy == before);
    assert!(
        reading.put_setting("a", "b").await.is_err(),
        "it reads only"
    );
}

#[tokio::test]
async fn whatever_is_cut_off_or_altered_is_refused_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path(), "one.db").await;
    fill(&store).await;
    let copy = copy_of(&store).await;
    let empty = sqlite(dir.path(), "empty.db").await;
    for at in (0..copy.len()).step_by(copy.len() / 40) {
        let cut = restore(&empty, &copy[..at], None).await.unwrap_err();
        assert!(
            matches!(cut, CopyError::Damaged(_) | CopyError::NotACopy),
            "{at}: {cut:?}"
        );
        let mut altered = copy.clone();
        altered[at] ^= 1;
        assert!(restore(&empty, &altered, None).await.is_err(), "byte {at}");
    }
    let mut lines: Vec<&[u8]> = copy.split_inclusive(|byte| *byte == b'\n').collect();
    let row = lines.remove(5);
    assert!(
        restore(&empty, &lines.concat(), None).await.is_err(),
        "a row is missing"
    );
    lines.insert(6, row);
    assert!(
        restore(&empty, &lines.concat(), None).await.is_err(),
        "a row has moved"
    );
    let more = [copy.as_slice(), b"[]\n"].concat();
    assert!(
        restore(&empty, &more, None).await.is_err(),
        "something follows"
    );
    assert!(is_empty(&empty).await);
    restore(&empty, &copy, None).await.unwrap();
}

#[tokio::test]
async fn what_is_not_for_this_server_or_this_version_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path(), "one.db").await;
    fill(&store).await;
    let copy = copy_of(&store).await;
    let told = |other: MasterKey, schema: i64, bytes: Vec<u8>| {
        Reader::begin(BufReader::new(&bytes[..]), &other, schema)
            .err()
            .unwrap()
    };
    let other = || MasterKey::from_bytes(&[2; MASTER_KEY_BYTES]).unwrap();
    assert!(matches!(
        told(other(), SCHEMA, copy.clone()),
        CopyError::OtherMasterKey
    ));
    let later = told(keys(), SCHEMA + 1, copy.clone());
    assert!(matches!(later, CopyError::OtherSchema { .. }), "{later}");
    let text = String::from_utf8(copy.clone()).unwrap();
    let format = text.replacen("\"strongroomCatalogue\":1", "\"strongroomCatalogue\":2", 1);
    assert!(matches!(
        told(keys(), SCHEMA, format.into()),
        CopyError::OtherFormat(2)
    ));
    for no_copy in [&b""[..], b"{}\n", b"SQLite format 3\0"] {
        let told = told(keys(), SCHEMA, no_copy.to_vec());
        assert!(
            matches!(told, CopyError::NotACopy | CopyError::Damaged(_)),
            "{told:?}"
        );
    }
    let full = restore(&store, &copy, None).await.unwrap_err();
    assert!(
        matches!(full, CopyError::NotEmpty { table: "settings" }),
        "{full}"
    );
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_found_before_anything_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path(), "one.db").await;
    fill(&store).await;
    let mut session = store.begin().await.unwrap();
    session
        .put_secret("/key/3", "p", b"sealed by nobody")
        .await
        .unwrap();
    session.commit().await.unwrap();
    let mut session = store.read().await.unwrap();
    let about = (made(), "tenant".to_owned());
    let (copy, _) = write(&mut *session, &keys(), about, Vec::new())
        .await
        .unwrap();
    let empty = sqlite(dir.path(), "empty.db").await;
    let refused = restore(&empty, &copy, None).await.unwrap_err();
    assert!(matches!(refused, CopyError::Secret(_)), "{refused:?}");
    assert!(is_empty(&empty).await);
}

mod commands {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::catalogue_copy::command::{Place, backup_catalogue, restore_catalogue};
    use crate::config::ServerOptions;
    use crate::data_dir::{DataDir, write_private};
    use crate::run::RunError;

    fn options(dir: &std::path::Path) -> ServerOptions {
        ServerOptions {
            data_dir: Some(dir.to_owned()),
            ..ServerOptions::default()
        }
    }

    #[tokio::test]
    async fn a_copy_is_made_beside_the_server_and_restored_where_none_has_worked() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let running = DataDir::open(dir.path()).unwrap();
        write_private(&running.master_key(), &[1; MASTER_KEY_BYTES]).unwrap();
        let store = Store::new(
            SqliteDatabase::open(&running.database().unwrap())
                .await
                .unwrap(),
        );
        fill(&store).await;
        let file = dir.path().join("copy.zst");
        let place = Place::from(file.clone());
        // Twice: the second takes the first one's place.
        backup_catalogue(&options(dir.path()), &place)
            .await
            .unwrap();
        let rows = backup_catalogue(&options(dir.path()), &place)
            .await
            .unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let mut text = String::new();
        let mut read = zstd::Decoder::new(std::fs::File::open(&file).unwrap()).unwrap();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().count(), usize::try_from(rows).unwrap() + 2);

        let lost = restore_catalogue(&options(other.path()), &place, true)
            .await
            .unwrap_err();
        assert!(matches!(lost, RunError::MasterKeyLost { .. }), "{lost}");
        let key = DataDir::beside(other.path()).unwrap().master_key();
        write_private(&key, &[1; MASTER_KEY_BYTES]).unwrap();
        let restored = restore_catalogue(&options(other.path()), &place, true)
            .await
            .unwrap();
        assert_eq!(restored.rows, rows);
        let again = restore_catalogue(&options(other.path()), &place, true)
            .await
            .unwrap_err();
        assert!(
            matches!(again, RunError::Copy(CopyError::NotEmpty { .. })),
            "{again}"
        );
        let used = restore_catalogue(&options(dir.path()), &place, true)
            .await
            .unwrap_err();
        assert!(
            matches!(used, RunError::DataDir(_)),
            "the server holds its lock: {used}"
        );
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_made_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        write_private(&data.master_key(), &[1; MASTER_KEY_BYTES]).unwrap();
        let file = dir.path().join("copy.zst");
        let refused = backup_catalogue(&options(dir.path()), &Place::from(file.clone())).await;
        assert!(matches!(refused, Err(RunError::Store(_))), "{refused:?}");
        assert!(!file.exists() && !data.database_path().exists());
    }
}
