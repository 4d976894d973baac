//! Whether a scheduled backup is due, and why or why not.
//!
//! Contract: pure; what was done before and the time are arguments. However many moments have passed
//! since the last one that was seen to, at most one backup is due, and it stands for the last of them:
//! after a downtime there is one to catch up with and not a storm. No moment is due twice, and none is
//! lost, unless the clock is put back by more than [`CLOCK_PUT_BACK_MAX`]: then moments count from that
//! time on, because the ones that were seen to may lie years ahead.

use jiff::Timestamp;

use super::BackupPolicy;
use crate::limits::CLOCK_PUT_BACK_MAX;

/// What is known of an instance's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleState {
    /// From when on moments count: when the instance got this schedule.
    pub since: Timestamp,
    /// The last moment that was seen to: its backup was started, or could not be.
    pub handled: Option<Timestamp>,
}

/// What an instance's schedule asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The policy has no schedule: backups on demand only.
    OnDemandOnly,
    /// The repetitions are used up.
    Ended,
    /// Nothing is due before this moment.
    Waiting {
        /// The next moment.
        next: Timestamp,
    },
    /// A backup is due.
    Due {
        /// The moment that it stands for.
        moment: Timestamp,
        /// The first of the earlier moments that passed without a backup, if any did; it stands for
        /// those as well.
        missed_since: Option<Timestamp>,
    },
    /// The clock was put back behind what was seen to: moments count from now on.
    ClockPutBack {
        /// The moment that was seen to, or from which on moments counted.
        from: Timestamp,
    },
}

impl ScheduleState {
    /// A schedule whose moments count from now on.
    #[must_use]
    pub const fn new(since: Timestamp) -> Self {
        Self {
            since,
            handled: None,
        }
    }

    /// The same after a moment was seen to.
    #[must_use]
    pub const fn after(self, moment: Timestamp) -> Self {
        Self {
            handled: Some(moment),
            ..self
        }
    }

    /// The time after which moments count.
    fn from(self) -> Timestamp {
        self.handled
            .map_or(self.since, |handled| handled.max(self.since))
    }
}

impl BackupPolicy {
    /// What the schedule asks for at `now`.
    #[must_use]
    pub fn turn(&self, state: ScheduleState, now: Timestamp) -> Turn {
        if self.intervals.is_empty() {
            return Turn::OnDemandOnly;
        }
        let from = state.from();
        if from.duration_since(now) > CLOCK_PUT_BACK_MAX {
            return Turn::ClockPutBack { from };
        }
        if let Some(moment) = self.latest_due(now)
            && moment > from
        {
            let first = self.next_due(from).filter(|first| *first < moment);
            return Turn::Due {
                moment,
                missed_since: first,
            };
        }
        match self.next_due(from.max(now)) {
            Some(next) => Turn::Waiting { next },
            None => Turn::Ended,
        }
    }
}
