//! The tables of a catalogue, as a copy of it takes them: every column by its name and type, whatever the
//! database.
//!
//! Contract: [`TABLES`] holds all that a catalogue is, in an order in which rows can be written (what others
//! refer to comes first). A test holds it against the schemas of both databases, so that no migration can add
//! a table or a column that copies leave out.

#[cfg(test)]
pub(super) mod complete;

/// The newest migration of SQLite, which this list of tables is of.
pub const SCHEMA: i64 = 10;

/// By how much the numbers of PostgreSQL's migrations lag behind those of SQLite: its first one is the schema
/// after SQLite's fifth.
pub const POSTGRES_LAG: i64 = 4;

/// Tables that a copy leaves out: which server works, and which ones are there, is nobody's in another
/// catalogue.
pub const LEFT_OUT: &[&str] = &["leases"];

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order in which a copy has them.
    pub columns: &'static [(&'static str, Type)],
    /// The columns of its key, by which rows are ordered: two copies of the same catalogue are the same bytes.
    pub order: &'static str,
}

/// The type of a column; any may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// A 64-bit number.
    Number,
    /// Bytes.
    Bytes,
}

use Type::{Bytes, Number, Text};

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of a column of texts.
    Text(Option<String>),
    /// Of a column of numbers.
    Number(Option<i64>),
    /// Of a column of bytes.
    Bytes(Option<Vec<u8>>),
}

impl Table {
    /// The table of this name, if there is one.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// Where a column stands.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| *name == column)
    }

    /// The columns as SQL names them.
    #[must_use]
    pub fn column_list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

/// Every table of a catalogue.
pub const TABLES: &[Table] = &[
    Table {
        name: "settings",
        columns: &[("name", Text), ("value", Text)],
        order: "name",
    },
    Table {
        name: "resources",
        columns: &[
            ("key", Text),
            ("kind", Text),
            ("id", Text),
            ("name", Text),
            ("body", Text),
            ("etag", Text),
            ("created_at", Number),
            ("updated_at", Number),
            ("deleted_at", Number),
            ("created_by", Text),
            ("updated_by", Text),
        ],
        order: "key",
    },
    Table {
        name: "uses",
        columns: &[("user_key", Text), ("role", Text), ("target_key", Text)],
        order: "user_key, role",
    },
    Table {
        name: "secrets",
        columns: &[("key", Text), ("purpose", Text), ("ciphertext", Bytes)],
        order: "key, purpose",
    },
    Table {
        name: "role_assignments",
        columns: &[
            ("key", Text),
            ("id", Text),
            ("scope", Text),
            ("scope_key", Text),
            ("role", Text),
            ("principal", Text),
            ("principal_type", Text),
            ("description", Text),
            ("created_at", Number),
            ("created_by", Text),
        ],
        order: "key",
    },
    Table {
        name: "repositories",
        columns: &[
            ("instance_key", Text),
            ("container_id", Text),
            ("prefix", Text),
            ("described", Text),
        ],
        order: "instance_key, container_id, prefix",
    },
    Table {
        name: "schedules",
        columns: &[
            ("instance_key", Text),
            ("schedule", Text),
            ("since", Number),
            ("handled", Number),
            ("job_id", Text),
            ("last_success", Number),
        ],
        order: "instance_key",
    },
    Table {
        name: "retention",
        columns: &[
            ("instance_key", Text),
            ("changes", Number),
            ("seen_changes", Number),
            ("instance", Text),
            ("policy_key", Text),
            ("policy", Text),
            ("due_at", Number),
        ],
        order: "instance_key",
    },
    Table {
        name: "recovery_points",
        columns: &[
            ("id", Text),
            ("instance_key", Text),
            ("vault_key", Text),
            ("job_id", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("body", Text),
            ("sequence", Number),
            ("expiring_since", Number),
            ("served_types", Text),
            ("tag", Text),
        ],
        order: "id",
    },
    Table {
        name: "jobs",
        columns: &[
            ("id", Text),
            ("vault_key", Text),
            ("instance_key", Text),
            ("cluster_key", Text),
            ("operation", Text),
            ("status", Text),
            ("step", Text),
            ("progress", Text),
            ("resource_name", Text),
            ("request", Text),
            ("result", Text),
            ("error", Text),
            ("created_at", Number),
            ("started_at", Number),
            ("ended_at", Number),
            ("next_poll_at", Number),
            ("generation", Number),
        ],
        order: "id",
    },
    Table {
        name: "operations",
        columns: &[
            ("id", Text),
            ("kind", Text),
            ("scope_key", Text),
            ("resource_id", Text),
            ("location", Text),
            ("status", Text),
            ("job_id", Text),
            ("result", Text),
            ("error", Text),
            ("created_at", Number),
            ("ended_at", Number),
            ("request", Text),
            ("holder", Text),
        ],
        order: "id",
    },
    Table {
        name: "audit_entries",
        columns: &[
            ("sequence", Number),
            ("time", Number),
            ("event", Text),
            ("previous", Text),
            ("hash", Text),
        ],
        order: "sequence",
    },
];
