//! `strongroom audit verify`: reads the log, or a file of exported entries, and checks the chain here, so that
//! the server is not asked whether it is honest. Memory does not grow with the log.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Serialize;
use strongroom_api::audit::{AuditAnchor, AuditEntry};
use strongroom_core::audit::{Fault, Head, Verified, Verifier};

use crate::error::CliError;
use crate::output::Columns;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An entry that is known from before, NUMBER:HASH; tells that the end was cut off or all was rewritten
    #[arg(long = "anchor", value_name = "NUMBER:HASH")]
    anchors: Vec<Head>,
    /// Check exported entries in this file instead of the server's log
    #[arg(long)]
    file: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    entries: u64,
    first: Option<u64>,
    head: Option<Head>,
}

const COLUMNS: Columns<Found> = &[
    ("ENTRIES", |found| found.entries.to_string()),
    ("FROM", |found| {
        crate::output::or_nothing(found.first.map(|first| first.to_string()).as_deref())
    }),
    ("HEAD", |found| {
        crate::output::or_nothing(found.head.map(|head| head.to_string()).as_deref())
    }),
];

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let mut verifier = Verifier::new();
        for anchor in &self.anchors {
            verifier = verifier.expecting(*anchor);
        }
        let verified = match &self.file {
            Some(path) => of_file(path, verifier)?,
            None => of_server(session, verifier).await?,
        };
        let found = Found {
            entries: verified.entries,
            first: verified.base.map(|base| base.sequence + 1),
            head: verified.head,
        };
        session.show(COLUMNS, &found)?;
        session.say("whole: every entry is as it was written, and none is missing in between");
        if let Some(head) = verified.head.filter(|_| self.anchors.is_empty()) {
            session.say(&format!(
                "whether the end was cut off shows with an anchor from before; keep this one elsewhere: --anchor {head}"
            ));
        }
        Ok(())
    }
}

fn broken(fault: Fault) -> CliError {
    CliError::tampered(fault.to_string())
}

async fn of_server(session: &Session<'_>, verifier: Verifier) -> Result<Verified, CliError> {
    let client = session.client()?;
    let log = client.audit_log().await?;
    let base = head_of(&log.base)?;
    let mut verifier = verifier.following(base).expecting(head_of(&log.head)?);
    let mut pages = client.audit_entries(base.sequence)?;
    while let Some(page) = pages.next().await? {
        for entry in &page {
            verifier.read(&super::read(entry)?).map_err(broken)?;
        }
    }
    verifier.end().map_err(broken)
}

fn head_of(anchor: &AuditAnchor) -> Result<Head, CliError> {
    let text = format!("{}:{}", anchor.sequence, anchor.hash);
    text.parse().map_err(|_| CliError::tampered(format!("{text} is no place in the log")))
}

fn of_file(path: &Path, mut verifier: Verifier) -> Result<Verified, CliError> {
    let failed = |error: std::io::Error| CliError::file(format!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        let entry: AuditEntry = serde_json::from_str(&line)
            .map_err(|error| CliError::tampered(format!("a line is no entry: {error}")))?;
        verifier.read(&super::read(&entry)?).map_err(broken)?;
    }
    verifier.end().map_err(broken)
}
