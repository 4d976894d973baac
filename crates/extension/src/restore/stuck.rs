//! Types whose creates meet a webhook (or an aggregated API) that does not answer: after a few failures
//! in a row the others of the type are put off without asking, so that one that hangs does not stall
//! everything. At the end one object of the type finds out, for all of them, whether it answers now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_core::ResourceType;
use tokio::sync::OnceCell;

use crate::limits::WEBHOOK_FAILURES;

/// Why a type is still out of reach at the end; none when it is not.
pub(super) type Verdict = Option<String>;

/// What is known of types. As many as a cluster serves.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    failures: Mutex<BTreeMap<ResourceType, u32>>,
    verdicts: Mutex<BTreeMap<ResourceType, Arc<OnceCell<Verdict>>>>,
}

impl Stuck {
    /// Notes that a create got no answer of its own.
    pub(super) fn failed(&self, resource: &ResourceType) {
        let mut failures = locked(&self.failures);
        *failures.entry(resource.clone()).or_default() += 1;
    }

    /// Notes that a create was answered.
    pub(super) fn answered(&self, resource: &ResourceType) {
        let mut failures = locked(&self.failures);
        if !failures.is_empty() {
            failures.remove(resource);
        }
    }

    /// Whether the type's objects are put off without asking.
    pub(super) fn is_stuck(&self, resource: &ResourceType) -> bool {
        let failures = locked(&self.failures);
        failures
            .get(resource)
            .is_some_and(|times| *times >= WEBHOOK_FAILURES)
    }

    /// Where the verdict on a type is written, once.
    pub(super) fn verdict(&self, resource: &ResourceType) -> Arc<OnceCell<Verdict>> {
        let mut verdicts = locked(&self.verdicts);
        Arc::clone(verdicts.entry(resource.clone()).or_default())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_stuck_after_failures_in_a_row_until_it_answers() {
        let stuck = Stuck::default();
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        let pods = ResourceType::new("", "v1", "Pod", "pods", true);
        for _ in 0..WEBHOOK_FAILURES {
            assert!(!stuck.is_stuck(&maps));
            stuck.failed(&maps);
        }
        assert!(stuck.is_stuck(&maps) && !stuck.is_stuck(&pods));
        stuck.answered(&maps);
        assert!(!stuck.is_stuck(&maps));
    }
}
