//! Hands the audit log on to a receiver that others keep.
//!
//! Contract: entries go in their order, a page at a time, and the number of the last one that the receiver
//! took stands in the store: a server that starts again goes on there. The log itself is the queue, so that
//! memory does not grow while the receiver is away, and nothing is left out. It may get some entries twice,
//! which it knows by their numbers. A receiver that is away is tried again, ever less often.

mod http;
mod syslog;

use std::sync::Arc;

use strongroom_core::audit::Entry;

use self::http::HttpReceiver;
use self::syslog::SyslogReceiver;
use super::limits::{
    AUDIT_FIRST_PAUSE, AUDIT_FORWARDED_AT_ONCE, AUDIT_LONGEST_PAUSE, AUDIT_LOOK_EVERY,
};
use crate::app::{App, Result, audit};
use crate::config::audit::{Protocol, ReceiverSettings};

/// The setting that holds the number of the last entry that the receiver took.
const FORWARDED: &str = "audit-forwarded";

/// Why entries could not be handed on, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreceived(String);

/// Who gets the entries.
pub enum Receiver {
    /// By HTTP POST.
    Http(HttpReceiver),
    /// By syslog.
    Syslog(SyslogReceiver),
}

impl Receiver {
    /// The one that the configuration names.
    ///
    /// # Errors
    /// When what it is trusted by cannot be used.
    pub fn open(settings: &ReceiverSettings) -> std::result::Result<Self, Unreceived> {
        Ok(match settings.protocol {
            Protocol::Http => Self::Http(HttpReceiver::open(settings)?),
            Protocol::SyslogTls | Protocol::SyslogTcp => {
                Self::Syslog(SyslogReceiver::open(settings)?)
            }
        })
    }

    /// From which entry on it may have lost some since it was heard last: syslog confirms nothing.
    fn may_have_lost_since(&self, taken: u64) -> u64 {
        match self {
            Self::Http(_) => taken,
            Self::Syslog(receiver) if receiver.is_connected() => taken,
            Self::Syslog(_) => taken.saturating_sub(AUDIT_FORWARDED_AT_ONCE as u64),
        }
    }

    async fn take(&mut self, entries: &[Entry]) -> std::result::Result<(), Unreceived> {
        match self {
            Self::Http(receiver) => receiver.take(entries).await,
            Self::Syslog(receiver) => receiver.take(entries).await,
        }
    }
}

/// Hands entries on, for ever.
pub(super) async fn forward_for_ever(app: Arc<App>, settings: ReceiverSettings) {
    let mut receiver = match Receiver::open(&settings) {
        Ok(receiver) => receiver,
        Err(error) => {
            // It could be opened when the server started.
            tracing::error!(error = %error, "the receiver of the audit log cannot be used any more");
            return;
        }
    };
    let mut pause = AUDIT_FIRST_PAUSE;
    let mut is_away = false;
    loop {
        match forward(&app, &mut receiver).await {
            Ok(Ok(more)) => {
                if is_away {
                    tracing::info!("the receiver of the audit log takes entries again");
                }
                (pause, is_away) = (AUDIT_FIRST_PAUSE, false);
                if !more {
                    tokio::time::sleep(AUDIT_LOOK_EVERY).await;
                }
                continue;
            }
            Ok(Err(unreceived)) => {
                if !is_away {
                    tracing::warn!(error = %unreceived, "the receiver of the audit log takes no entries");
                }
            }
            Err(error) => {
                let error = crate::app::error::chain(&error);
                tracing::warn!(error = %error, "the audit log could not be read to be handed on");
            }
        }
        is_away = true;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AUDIT_LONGEST_PAUSE);
    }
}

/// Hands a page on; tells whether more is there.
async fn forward(
    app: &App,
    receiver: &mut Receiver,
) -> Result<std::result::Result<bool, Unreceived>> {
    let taken = forwarded(app).await?;
    let from = receiver.may_have_lost_since(taken);
    let page = audit::after(app, from, AUDIT_FORWARDED_AT_ONCE).await?;
    let Some(last) = page.rows.last() else {
        return Ok(Ok(false));
    };
    if let Err(unreceived) = receiver.take(&page.rows).await {
        return Ok(Err(unreceived));
    }
    if last.sequence > taken {
        let mut session = app.store.begin().await?;
        session
            .put_setting(FORWARDED, &last.sequence.to_string())
            .await?;
        session.commit().await?;
    }
    Ok(Ok(page.more))
}

async fn forwarded(app: &App) -> Result<u64> {
    let noted = app.store.read().await?.setting(FORWARDED).await?;
    Ok(noted.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
