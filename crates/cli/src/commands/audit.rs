//! `strongroom audit`.

use strongroom_api::audit::AuditEntry;
use strongroom_core::audit::Entry;

use crate::error::CliError;
use crate::output::{self, Columns};

super::verbs! {
    /// List the latest entries of the audit log
    List(list),
    /// Write entries as JSON lines, and go on with new ones if asked to
    Export(export),
    /// Check that no entry was edited, removed or moved
    Verify(verify),
}

const COLUMNS: Columns<AuditEntry> = &[
    ("ENTRY", |entry| entry.sequence.to_string()),
    ("TIME", |entry| output::instant(Some(entry.time))),
    ("WHO", |entry| {
        output::or_nothing(entry.caller.as_ref().map(|caller| caller.name.as_str()))
    }),
    ("APPROVED BY", |entry| {
        output::or_nothing(
            entry
                .approver
                .as_ref()
                .map(|approver| approver.name.as_str()),
        )
    }),
    ("FROM", |entry| {
        output::or_nothing(entry.client_address.as_deref())
    }),
    ("OUTCOME", |entry| entry.outcome.clone()),
    ("CODE", |entry| output::or_nothing(entry.code.as_deref())),
    ("ACTION", |entry| output::or_nothing(Some(&entry.action))),
    ("SCOPE", |entry| entry.scope.clone()),
];

/// An entry as its hash is of it. One that this version cannot read whole cannot be checked by it.
fn read(entry: &AuditEntry) -> Result<Entry, CliError> {
    let read = serde_json::to_value(entry).and_then(serde_json::from_value);
    read.map_err(|error| {
        CliError::tampered(format!("entry {} cannot be read: {error}", entry.sequence))
    })
}
