//! What a running job has done so far, shared between its step and the writer of its status.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use strongroom_core::report::{Counts, ObjectOutcome};

use super::Step;

/// Sums that steps add to and the status shows.
#[derive(Debug, Default)]
pub struct Progress {
    sums: Mutex<Sums>,
    steps: Mutex<Steps>,
}

/// Steps that have begun. Two may run beside each other; what is told is what the job waits for longest.
#[derive(Debug, Default)]
struct Steps {
    /// Those that have not ended, the earliest first.
    running: Vec<(Step, Timestamp)>,
    /// The one that began last.
    last: Option<(Step, Timestamp)>,
}

/// A copy of the sums at one moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Objects by outcome, their bytes and findings.
    pub counts: Counts,
    /// Objects that were passed over because they lie outside the selection.
    pub outside: u64,
    /// Bytes that the repository did not have yet.
    pub new_bytes: u64,
    /// Objects to handle, once that is known.
    pub total: Option<u64>,
    /// How long the application stood frozen, in milliseconds.
    pub frozen_millis: Option<u64>,
}

impl Sums {
    /// The counts as a custom resource's status names them: outcomes as they are, and what lies
    /// outside the selection as `NotSelected`.
    #[must_use]
    pub fn named(&self) -> BTreeMap<String, u64> {
        let mut named: BTreeMap<String, u64> = self
            .counts
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome.as_str().to_owned(), *count))
            .collect();
        if self.outside > 0 {
            named.insert("NotSelected".to_owned(), self.outside);
        }
        named
    }
}

impl Progress {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a step begins.
    pub fn enter(&self, step: Step, now: Timestamp) {
        let mut steps = self.steps();
        steps.running.push((step, now));
        steps.last = Some((step, now));
    }

    /// Says that a step is done.
    pub fn leave(&self, step: Step) {
        self.steps().running.retain(|(running, _)| *running != step);
    }

    /// Where the job stands, and since when: the earliest step that runs, else the last that ran.
    pub fn step(&self) -> Option<(Step, Timestamp)> {
        let steps = self.steps();
        steps.running.first().copied().or(steps.last)
    }

    /// A copy.
    pub fn snapshot(&self) -> Sums {
        self.sums().clone()
    }

    /// Adds one line of the report.
    pub fn add(&self, line: &ObjectOutcome) {
        self.sums().counts.add(line);
    }

    /// Adds objects outside the selection.
    pub fn add_outside(&self, objects: u64) {
        self.sums().outside += objects;
    }

    /// Says how many objects there are to handle.
    pub fn set_total(&self, total: u64) {
        self.sums().total = Some(total);
    }

    /// Adds to the objects that there are to handle.
    pub fn add_total(&self, objects: u64) {
        let mut sums = self.sums();
        sums.total = Some(sums.total.unwrap_or_default() + objects);
    }

    /// Says how many bytes were new to the repository.
    pub fn set_new_bytes(&self, bytes: u64) {
        self.sums().new_bytes = bytes;
    }

    /// Says how long the application stood frozen.
    pub fn set_frozen_millis(&self, millis: u64) {
        self.sums().frozen_millis = Some(millis);
    }

    /// Puts other sums in the place of these: those of a recovery point that was sealed before.
    pub fn replace(&self, sums: Sums) {
        *self.sums() = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::ObjectRef;
    use strongroom_core::report::Outcome;

    #[test]
    fn sums_are_named_as_the_status_shows_them() {
        let progress = Progress::default();
        let object = ObjectRef {
            group: String::new(),
            version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".into()),
            name: "a".into(),
        };
        progress.add(&ObjectOutcome::new(object, Outcome::Created, "").with_bytes(7));
        progress.add_outside(3);
        let sums = progress.snapshot();
        assert_eq!(sums.counts.bytes, 7);
        assert_eq!(
            sums.named().into_iter().collect::<Vec<_>>(),
            [("Created".to_owned(), 1), ("NotSelected".to_owned(), 3)]
        );
    }

    #[test]
    fn of_two_steps_side_by_side_the_one_that_is_waited_for_is_told() {
        let progress = Progress::default();
        let told = |progress: &Progress| progress.step().map(|(step, _)| step);
        progress.enter(Step::Open, Timestamp::UNIX_EPOCH);
        progress.enter(Step::Discover, Timestamp::UNIX_EPOCH);
        progress.leave(Step::Discover);
        progress.enter(Step::Plan, Timestamp::UNIX_EPOCH);
        assert_eq!(told(&progress), Some(Step::Open));
        progress.leave(Step::Open);
        assert_eq!(told(&progress), Some(Step::Plan));
        progress.leave(Step::Plan);
        assert_eq!(told(&progress), Some(Step::Plan));
    }
}
