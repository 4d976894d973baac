//! Whole tables, for copies of a catalogue.

use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Connection, Db, Result, failed};
use crate::store::copied::{Table, Type, Value};

type Row = <Db as sqlx::Database>::Row;

pub(super) async fn schema(on: &mut Connection) -> Result<i64> {
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success")
        .fetch_one(on)
        .await
        .map_err(failed("read which schema it has"))
}

pub(super) async fn is_empty(on: &mut Connection, table: &Table) -> Result<bool> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT 1) AS first",
        table.name
    );
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(on)
        .await
        .map_err(failed("look whether a table is empty"))?;
    Ok(found == 0)
}

/// Hands every row to `each`, in the order of the table's key, until it says no.
pub(super) async fn read(
    on: &mut Connection,
    table: &Table,
    each: &mut (dyn FnMut(Vec<Value>) -> bool + Send),
) -> Result<()> {
    let columns = table.column_list();
    let sql = format!(
        "SELECT {columns} FROM {} ORDER BY {}",
        table.name, table.order
    );
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(on);
    while let Some(row) = rows
        .try_next()
        .await
        .map_err(failed("read a table from its beginning to its end"))?
    {
        if !each(values(&row, table)?) {
            break;
        }
    }
    Ok(())
}

fn values(row: &Row, table: &Table) -> Result<Vec<Value>> {
    let columns = table.columns.iter().enumerate();
    let read = |(at, (_, kind)): (usize, &(&str, Type))| {
        let value = match kind {
            Type::Text => row.try_get(at).map(Value::Text),
            Type::Number => row.try_get(at).map(Value::Number),
            Type::Bytes => row.try_get(at).map(Value::Bytes),
        };
        value.map_err(failed("read a column of a table"))
    };
    columns.map(read).collect()
}

pub(super) async fn insert(on: &mut Connection, table: &Table, row: Vec<Value>) -> Result<()> {
    let places: Vec<String> = (1..=row.len()).map(|n| format!("${n}")).collect();
    let (name, columns, places) = (table.name, table.column_list(), places.join(", "));
    let sql = format!("INSERT INTO {name} ({columns}) VALUES ({places})");
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in row {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
        .execute(on)
        .await
        .map_err(failed("write a row of a copy"))?;
    Ok(())
}
