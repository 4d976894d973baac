//! The call in hand, and its entry in the audit log.
//!
//! Contract: whoever carries out a call does so inside of [`Call::during`]. If the call may write, the first
//! session that commits in it appends the call's entry to the audit log, in the same transaction: what a call
//! writes and its entry become durable together, or neither does. A use case cannot forget it, because it
//! never sees it. Tasks that a call leaves behind are not in it: what they do is the server's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_core::audit::{Event, Outcome};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// One call, while it is carried out.
#[derive(Debug)]
pub struct Call {
    event: Mutex<Event>,
    may_write: bool,
    has_entry: AtomicBool,
}

impl Call {
    /// A call that begins. One that may not write gets no entry by what it commits: reading leaves traces of
    /// its own in the store now and then, which are not the caller's writes.
    #[must_use]
    pub fn new(event: Event, may_write: bool) -> Arc<Self> {
        Arc::new(Self {
            event: Mutex::new(event),
            may_write,
            has_entry: AtomicBool::new(false),
        })
    }

    /// Carries it out.
    pub async fn during<F: Future>(self: &Arc<Self>, what: F) -> F::Output {
        CALL.scope(Arc::clone(self), what).await
    }

    /// What is known of it by now.
    #[must_use]
    pub fn event(&self) -> Event {
        let event = self.event.lock().unwrap_or_else(PoisonError::into_inner);
        event.clone()
    }

    /// Whether its entry is in the log.
    #[must_use]
    pub fn has_entry(&self) -> bool {
        self.has_entry.load(Ordering::Acquire)
    }
}

/// Notes what turned out of the call in hand, if there is one.
pub fn note(change: impl FnOnce(&mut Event)) {
    // Outside of a call there is nobody to tell.
    CALL.try_with(|call| {
        let mut event = call.event.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut event);
    })
    .ok();
}

/// The call in hand, if it may write and has no entry yet.
pub(super) fn without_entry() -> Option<Arc<Call>> {
    let call = CALL.try_with(Arc::clone).ok()?;
    (call.may_write && !call.has_entry()).then_some(call)
}

impl Call {
    /// Its entry, if it is written.
    pub(super) fn as_written(&self) -> Event {
        Event {
            outcome: Outcome::Written,
            status: None,
            code: None,
            ..self.event()
        }
    }

    /// Its entry became durable.
    pub(super) fn entered(&self) {
        self.has_entry.store(true, Ordering::Release);
    }
}
