//! The one place where the extension reads the wall clock.
//!
//! Everything else gets a [`Clock`], so that a test can say what time it is.
//!
//! The wall clock is for times that somebody reads. It can be set while a job runs, forward or back,
//! so how long something takes or may take is measured with [`tokio::time::Instant`], which nobody
//! sets.

use std::fmt;

use jiff::Timestamp;

/// Says what time it is.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, by this machine's clock.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where the clock is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
