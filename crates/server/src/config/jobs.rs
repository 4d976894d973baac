//! Section `[jobs]`: how many run at the same time, and how patient the server is with what they need.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::worker::limits::JobLimits;

/// Variable that sets [`JobsSection::unavailable_seconds`], before the file does.
pub const UNAVAILABLE_VARIABLE: &str = "STRONGROOM_CLUSTER_UNREACHABLE_AFTER_SECONDS";

/// Section `[jobs]` of the configuration file. The reasons for the defaults stand beside the
/// constants of `worker/limits.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsSection {
    /// Jobs that run in one cluster at the same time; more are queued.
    pub per_cluster: NonZeroU16,
    /// Jobs that run in all clusters at the same time; more are queued.
    pub in_all: NonZeroU16,
    /// Seconds that a job's cluster or store may be out of reach before the job is ended as failed.
    pub unavailable_seconds: u64,
    /// Seconds that a backup which is sealed already waits for its store before the job is ended as
    /// failed.
    pub sealed_seconds: u64,
    /// Seconds that a job may be without a sign of life while its cluster answers.
    pub silence_seconds: u64,
    /// Seconds that a job whose turn has come waits for an extension that is not ready.
    pub extension_wait_seconds: u64,
    /// Seconds that a job may take in all, from when its turn came.
    pub deadline_seconds: u64,
    /// Seconds between two rounds in which packs that no recovery point needs are removed.
    pub prune_every_seconds: u64,
    /// Seconds that such a pack is left alone. Must be more than a writer ever pauses, or a backup
    /// that goes on after a long pause fails and has to be begun anew; never less than 3,600 outside tests.
    pub prune_min_age_seconds: u64,
}

impl Default for JobsSection {
    fn default() -> Self {
        let limits = JobLimits::default();
        let count = |limit: usize| {
            let limit = u16::try_from(limit).unwrap_or(u16::MAX);
            NonZeroU16::new(limit).unwrap_or(NonZeroU16::MIN)
        };
        Self {
            per_cluster: count(limits.per_cluster),
            in_all: count(limits.in_all),
            unavailable_seconds: limits.unavailable.as_secs(),
            sealed_seconds: limits.sealed.as_secs(),
            silence_seconds: limits.silence.as_secs(),
            extension_wait_seconds: limits.extension_wait.as_secs(),
            deadline_seconds: limits.deadline.as_secs(),
            prune_every_seconds: limits.prune_every.as_secs(),
            prune_min_age_seconds: limits.prune_min_age.as_secs(),
        }
    }
}

impl JobsSection {
    /// The same with what the environment says. `environment` looks up a variable.
    ///
    /// # Errors
    /// When a variable is no number of seconds.
    pub fn with_environment(
        mut self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        if let Some(value) = environment(UNAVAILABLE_VARIABLE) {
            self.unavailable_seconds = value.parse().map_err(|_| ConfigError::Value {
                name: UNAVAILABLE_VARIABLE,
                value,
                expected: "a number of seconds",
            })?;
        }
        Ok(self)
    }

    /// As the workers take it.
    #[must_use]
    pub fn limits(&self) -> JobLimits {
        JobLimits {
            per_cluster: self.per_cluster.get().into(),
            in_all: self.in_all.get().into(),
            unavailable: Duration::from_secs(self.unavailable_seconds),
            sealed: Duration::from_secs(self.sealed_seconds),
            silence: Duration::from_secs(self.silence_seconds),
            extension_wait: Duration::from_secs(self.extension_wait_seconds),
            deadline: Duration::from_secs(self.deadline_seconds),
            prune_every: Duration::from_secs(self.prune_every_seconds),
            prune_min_age: Duration::from_secs(self.prune_min_age_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_file_and_must_be_a_number() {
        let said = |value: &'static str| {
            move |name: &str| (name == UNAVAILABLE_VARIABLE).then(|| value.to_owned())
        };
        let section = JobsSection::default().with_environment(said("5")).unwrap();
        assert_eq!(section.limits().unavailable, Duration::from_secs(5));
        let refused = JobsSection::default()
            .with_environment(said("soon"))
            .unwrap_err();
        assert!(
            refused.to_string().contains(UNAVAILABLE_VARIABLE),
            "{refused}"
        );
    }
}
