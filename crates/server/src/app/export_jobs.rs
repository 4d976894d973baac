//! The list of a vault's jobs as a file, JSON or CSV.
//!
//! Contract: an export is an operation that has ended when it is accepted; its list is what the vault knows
//! at that moment of jobs that began before. It is read through a link that is signed and ends, because
//! what reads it (a browser, a spreadsheet) has no token. The link opens this list and nothing else.

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use strongroom_api::job::JobResource;
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::limits::EXPORT_LINK_LIFETIME;
use super::operations::{self, End, OperationKind};
use super::{App, ResourceId, Result, backup_jobs, vaults};
use crate::store::{JobFilter, OperationRow, TimeCursor};

/// Name of the key that signs links.
const LINK_KEY: &str = "export-links";

/// Jobs that are read at a time.
const PAGE: usize = 200;

/// Lets the jobs of a vault be read.
pub async fn begin(app: &App, vault: &ResourceId) -> Result<OperationRow> {
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, vault).await?;
    let location = vaults::document(&vault)?.location.unwrap_or_default();
    let id = ResourceId::published(vault.id);
    let kind = OperationKind::ExportJobs;
    let operation = operations::start(app, &mut *session, kind, &id, &location, None).await?;
    let end = End::Succeeded {
        result: json!({"exported": true}),
    };
    let operation = operations::finish(app, &mut *session, operation, end).await?;
    session.commit().await?;
    Ok(operation)
}

/// The signed part of a link to what an operation exported: its query.
#[must_use]
pub fn link(app: &App, operation: &OperationRow) -> String {
    let lifetime = SignedDuration::try_from(EXPORT_LINK_LIFETIME).unwrap_or_default();
    let end = operation
        .created_at
        .saturating_add(lifetime)
        .unwrap_or(Timestamp::MAX)
        .as_second();
    format!("?se={end}&sig={}", signature(app, &operation.id, end))
}

fn signed(operation: &str, end: i64) -> String {
    format!("{operation}\n{end}")
}

fn key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*app.keys.derive(LINK_KEY))
}

fn signature(app: &App, operation: &str, end: i64) -> String {
    let tag = hmac::sign(&key(app), signed(operation, end).as_bytes());
    hex(tag.as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// A list that somebody with a link reads.
#[derive(Debug, Clone)]
pub struct Export {
    vault: ResourceId,
    until: Timestamp,
    after: Option<TimeCursor>,
    is_done: bool,
}

/// What a link opens, if it is ours and has not ended.
pub async fn of_link(app: &App, operation: &str, end: &str, signature: &str) -> Result<Export> {
    let refused = || {
        Problem::new(
            Code::AuthorizationFailed,
            "The link to the exported jobs is not one of this server's, or it has ended.",
        )
    };
    let id = operation
        .parse::<Uuid>()
        .map_err(|_| refused())?
        .to_string();
    let end = end.parse::<i64>().map_err(|_| refused())?;
    let given = unhex(signature).ok_or_else(refused)?;
    // Compared in constant time.
    hmac::verify(&key(app), signed(&id, end).as_bytes(), &given).map_err(|_| refused())?;
    if app.now().as_second() >= end {
        return Err(refused().into());
    }
    let row = app.store.read().await?.operation(&id).await?;
    let row = row
        .filter(|row| row.kind == OperationKind::ExportJobs.as_str())
        .ok_or_else(refused)?;
    Ok(Export {
        vault: ResourceId::published(row.resource_id),
        until: row.created_at,
        after: None,
        is_done: false,
    })
}

impl Export {
    /// The next jobs, newest first; none at the end.
    pub async fn next(&mut self, app: &App) -> Result<Option<Vec<JobResource>>> {
        if self.is_done {
            return Ok(None);
        }
        let filter = JobFilter {
            until: Some(self.until),
            ..JobFilter::default()
        };
        let (jobs, next) = backup_jobs::list(app, &self.vault, filter, self.after, PAGE).await?;
        self.is_done = next.is_none();
        self.after = next;
        Ok(Some(jobs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_text_reads_back_and_nonsense_does_not() {
        assert_eq!(unhex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        for nonsense in ["0", "zz", "é0", "+1"] {
            assert_eq!(unhex(nonsense), None, "{nonsense}");
        }
    }
}
