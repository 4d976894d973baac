//! Section `[limits]`: what an administrator may bound differently.

use serde::{Deserialize, Serialize};

/// Seconds a request may take. Every call a request makes to a cluster or a store is bounded well
/// below this; longer work is a long-running operation.
pub const DEFAULT_REQUEST_SECONDS: u64 = 60;

/// Section `[limits]` of the configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Seconds a request may take.
    pub request_seconds: u64,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            request_seconds: DEFAULT_REQUEST_SECONDS,
        }
    }
}
