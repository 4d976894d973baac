//! What a copy of a catalogue takes is what a database has.

use std::collections::BTreeMap;

use crate::store::Session;
use crate::store::copied::{LEFT_OUT, TABLES, Type};

/// Fails when a database has a table or a column that copies leave out, or the other way round. `found` has
/// each column with its table and the database's own name of its type.
pub(in crate::store) async fn every_column_is_copied(
    found: &[(String, String, String)],
    newest: i64,
    session: &mut dyn Session,
) {
    let kind = |name: &str| match name.to_lowercase().as_str() {
        "text" => Type::Text,
        "integer" | "bigint" => Type::Number,
        "blob" | "bytea" => Type::Bytes,
        other => panic!("copies know no columns of type {other}"),
    };
    let found: BTreeMap<(&str, &str), String> = found
        .iter()
        .filter(|(table, _, _)| !LEFT_OUT.contains(&&**table))
        .map(|(table, column, name)| ((&**table, &**column), format!("{:?}", kind(name))))
        .collect();
    let copied: BTreeMap<(&str, &str), String> = TABLES
        .iter()
        .flat_map(|table| {
            let columns = table.columns.iter();
            columns.map(|(column, kind)| ((table.name, *column), format!("{kind:?}")))
        })
        .collect();
    assert_eq!(found, copied, "left: the database, right: store/copied.rs");
    assert_eq!(
        session.schema().await.unwrap(),
        newest,
        "SCHEMA in store/copied.rs"
    );
}
