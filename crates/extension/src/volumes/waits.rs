//! How long a backup waits for drivers.

use std::time::Duration;

use crate::limits::{
    GROUP_CUT_WAIT, GROUP_TROUBLE_WAIT, SNAPSHOT_CUT_WAIT, SNAPSHOT_GONE_WAIT, SNAPSHOT_READY_WAIT,
    SNAPSHOT_TROUBLE_WAIT,
};

/// The waits, which tests shorten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// See [`SNAPSHOT_CUT_WAIT`].
    pub cut: Duration,
    /// See [`SNAPSHOT_READY_WAIT`].
    pub ready: Duration,
    /// See [`SNAPSHOT_TROUBLE_WAIT`].
    pub trouble: Duration,
    /// See [`SNAPSHOT_GONE_WAIT`].
    pub gone: Duration,
    /// See [`GROUP_CUT_WAIT`].
    pub group: Duration,
    /// See [`GROUP_TROUBLE_WAIT`].
    pub group_trouble: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            cut: SNAPSHOT_CUT_WAIT,
            ready: SNAPSHOT_READY_WAIT,
            trouble: SNAPSHOT_TROUBLE_WAIT,
            gone: SNAPSHOT_GONE_WAIT,
            group: GROUP_CUT_WAIT,
            group_trouble: GROUP_TROUBLE_WAIT,
        }
    }
}
