//! The audit log: entries that belong to no transaction of a use case, the reading of it, and its age.
//!
//! What a call writes has its entry from the transaction that wrote, see [`crate::store::call`].

use jiff::SignedDuration;
use strongroom_api::audit::ENTRIES;
use strongroom_core::audit::{Entry, Event, Head, Outcome};

use super::limits::{AUDIT_FORGOTTEN_AT_ONCE, AUDIT_KEPT};
use super::{App, Result, resources};
use crate::store::Rows;
use crate::store::call::Call;

/// What the log calls its own aging.
const FORGET: &str = "Strongroom.Administration/auditEntries/delete";

/// Appends the entry of a call that wrote nothing.
pub async fn append(app: &App, event: Event) -> Result<Entry> {
    let mut session = app.store.begin().await?;
    let entry = session.append_audit_entry(event).await?;
    session.commit().await?;
    Ok(entry)
}

/// Does what the server does by itself, so that it has an entry if it writes.
pub async fn by_server<F: Future>(app: &App, action: &str, scope: &str, what: F) -> F::Output {
    let id = app.new_id().to_string();
    let server = resources::server(app);
    let event = Event {
        time: app.now(),
        caller: Some(server.to_caller()),
        approver: None,
        action: action.to_owned(),
        scope: scope.to_owned(),
        method: String::new(),
        outcome: Outcome::Written,
        status: None,
        code: None,
        request_id: id.clone(),
        correlation_id: id,
        client_address: None,
        unlisted: 0,
    };
    Call::new(event, true).during(what).await
}

/// Where the log begins and ends: what its first entry follows, and its last.
pub async fn bounds(app: &App) -> Result<(Head, Head)> {
    let mut session = app.store.read().await?;
    Ok((session.audit_base().await?, session.audit_head().await?))
}

/// Entries from the one after `sequence`, in order.
pub async fn after(app: &App, sequence: u64, limit: usize) -> Result<Rows<Entry>> {
    let mut session = app.store.read().await?;
    Ok(session.audit_entries(sequence, limit).await?)
}

/// Forgets entries that are older than the log is kept, from its beginning; tells how many. That it did is
/// an entry itself, so that nobody else's removal passes for it.
pub async fn age_out(app: &App) -> Result<u64> {
    let kept = SignedDuration::try_from(AUDIT_KEPT).unwrap_or(SignedDuration::MAX);
    let before = app.now() - kept;
    let mut forgotten = 0;
    loop {
        let mut session = app.store.begin().await?;
        let gone = session
            .forget_audit_entries(before, AUDIT_FORGOTTEN_AT_ONCE)
            .await?;
        if gone == 0 {
            return Ok(forgotten);
        }
        by_server(app, FORGET, ENTRIES, session.commit()).await?;
        forgotten += gone;
    }
}
