//! How long a job's trouble may last, and how long the job may take, by a clock that nobody sets. Pure.
//!
//! Contract: the wall clock is looked at once for each job and process, when the job is first seen; from
//! then on only time that really passes counts. So a clock that is set forward ends no job, and one that is
//! set back keeps none alive for longer than its vault allowed.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// What is left of one job's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// How long a store or API server may be gone.
    grace: Duration,
    failing_since: Option<Instant>,
    /// The job's end; none as long as it is not known, or when it has none.
    end: Option<Instant>,
}

impl Patience {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            failing_since: None,
            end: None,
        }
    }

    /// When the job ends at the latest. Only the first call looks at the times it is given.
    pub(super) fn end(&mut self, left: Option<Duration>, now: Instant) -> Option<Instant> {
        if self.end.is_none() {
            self.end = left.and_then(|left| now.checked_add(left));
        }
        self.end
    }

    /// Takes note of an attempt that met trouble. Says whether the trouble is a new one: an attempt that
    /// worked for longer than the grace was no part of an older one.
    pub(super) fn failed(&mut self, began: Instant, now: Instant) -> bool {
        let new = now.saturating_duration_since(began) > self.grace;
        if new {
            self.failing_since = None;
        }
        self.failing_since.get_or_insert(now);
        new
    }

    /// Whether the trouble has lasted for as long as the grace.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.failing_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.grace)
    }
}

/// How much time a job has left: never more than its vault gave it when it created the job (at `created`,
/// by the API server's clock), however far back this machine's clock is.
pub(super) fn time_left(deadline: Timestamp, created: Timestamp, now: Timestamp) -> Duration {
    let given = deadline.duration_since(created);
    let left = deadline.duration_since(now).min(given);
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_job_has_the_time_until_its_deadline_and_none_after_it() {
        let left = |now| time_left(wall(3_600), wall(0), wall(now));
        assert_eq!(left(600), Duration::from_secs(3_000));
        assert_eq!(left(3_600), Duration::ZERO);
        assert_eq!(left(9_000), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_years_behind_gives_a_job_no_more_time_than_its_vault_did() {
        let long_ago = wall(-1_000_000_000);
        assert_eq!(time_left(wall(3_600), wall(0), long_ago), HOUR);
    }

    #[test]
    fn a_clock_that_is_set_forward_between_two_attempts_does_not_end_the_job() {
        let first = Instant::now();
        let mut patience = Patience::new(GRACE);
        let end = patience.end(Some(HOUR), first);
        assert_eq!(end, Some(first + HOUR));
        let after_the_jump = time_left(wall(3_600), wall(0), wall(1_000_000));
        assert_eq!(after_the_jump, Duration::ZERO);
        let second = patience.end(Some(after_the_jump), first + GRACE);
        assert_eq!(second, end);
    }

    #[test]
    fn a_job_without_a_deadline_has_no_end() {
        assert_eq!(Patience::new(GRACE).end(None, Instant::now()), None);
    }

    #[test]
    fn trouble_is_over_when_it_lasts_and_begins_anew_behind_an_attempt_that_worked() {
        let first = Instant::now();
        let at = |second| first + Duration::from_secs(second);
        let mut patience = Patience::new(GRACE);
        assert!(!patience.is_over(at(0)));
        assert!(!patience.failed(at(0), at(1)));
        assert!(!patience.failed(at(5), at(6)));
        assert!(!patience.is_over(at(10)));
        assert!(patience.is_over(at(11)));
        assert!(patience.failed(at(6), at(30)));
        assert!(!patience.is_over(at(39)));
        assert!(patience.is_over(at(40)));
    }
}
