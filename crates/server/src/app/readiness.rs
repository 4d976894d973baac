//! Whether this server can do what it is for: its store answers and takes a write.
//!
//! Contract: a full disk, a read-only file system and a writer that is stuck are seen, because a row is
//! really written. The answer is remembered for [`READINESS_AGE`]: the question needs no token.

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::error::chain;
use super::limits::READINESS_AGE;
use super::{App, Result};

/// The setting that is written.
const LAST_READY: &str = "last-ready";

/// The last answer, and when it was given.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Timestamp, bool)>>);

/// Whether the store takes writes, as of a few seconds ago at most.
pub async fn is_ready(app: &App) -> bool {
    // Held while the store is asked: whoever comes meanwhile gets the same answer.
    let mut last = app.readiness.0.lock().await;
    let now = app.now();
    if let Some((at, ready)) = *last
        && now >= at
        && now.duration_since(at).unsigned_abs() < READINESS_AGE
    {
        return ready;
    }
    let ready = match write(app, now).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "not ready: the store takes no writes");
            false
        }
    };
    *last = Some((now, ready));
    ready
}

async fn write(app: &App, now: Timestamp) -> Result<()> {
    let mut session = app.store.begin().await?;
    session.put_setting(LAST_READY, &now.to_string()).await?;
    Ok(session.commit().await?)
}
