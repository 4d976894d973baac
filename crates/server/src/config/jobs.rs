//! Section `[jobs]`: how patient the server is with what its jobs need.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::worker::limits::JobLimits;

/// Section `[jobs]` of the configuration file. The reasons for the defaults stand beside the
/// constants of `worker/limits.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsSection {
    /// Seconds that a job's cluster or store may be out of reach before the job is ended as failed.
    pub unavailable_seconds: u64,
    /// Seconds that a job may be without a sign of life while its cluster answers.
    pub silence_seconds: u64,
    /// Seconds that a new job waits for an extension that is not ready.
    pub extension_wait_seconds: u64,
    /// Seconds that a job may take in all.
    pub deadline_seconds: u64,
}

impl Default for JobsSection {
    fn default() -> Self {
        let limits = JobLimits::default();
        Self {
            unavailable_seconds: limits.unavailable.as_secs(),
            silence_seconds: limits.silence.as_secs(),
            extension_wait_seconds: limits.extension_wait.as_secs(),
            deadline_seconds: limits.deadline.as_secs(),
        }
    }
}

impl JobsSection {
    /// As the workers take it.
    #[must_use]
    pub fn limits(&self) -> JobLimits {
        JobLimits {
            unavailable: Duration::from_secs(self.unavailable_seconds),
            silence: Duration::from_secs(self.silence_seconds),
            extension_wait: Duration::from_secs(self.extension_wait_seconds),
            deadline: Duration::from_secs(self.deadline_seconds),
        }
    }
}
