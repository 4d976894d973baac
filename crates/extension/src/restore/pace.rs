//! How many objects a restore handles at once. Pure: what an answer of the API server means for the
//! number, with the reason.
//!
//! Additive increase, multiplicative decrease: the number grows by a few with each full round of
//! answers that came in good time, and is halved when the API server says that it is too much (429)
//! or is in trouble (5xx, no connection). `Retry-After` is kept: nothing new is sent before it.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{
    APPLIES_GROWTH, APPLIES_IN_FLIGHT, APPLIES_IN_FLIGHT_LEAST, APPLIES_IN_FLIGHT_MOST,
    SHRINK_ONCE_IN, SLOW_ANSWER, SLOW_FACTOR,
};

/// What came of one request, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// An answer, good or bad, after this time.
    Given(Duration),
    /// 429, with the wait that the server asks for.
    TooMany(Option<Duration>),
    /// No answer, or one that says that the server is in trouble.
    Trouble,
}

/// What an answer meant for the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A round of answers came in good time.
    Grown,
    /// Fewer at once, for this reason.
    Shrunk(&'static str),
}

/// How many at once, and what that was decided from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    in_flight: usize,
    /// Answers of this round, and the time that they took together.
    answers: u32,
    spent: Duration,
    /// The shortest mean time of a round: what the server takes when it is not the bottleneck.
    best: Option<Duration>,
    shrunk: Option<Instant>,
    not_before: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            in_flight: APPLIES_IN_FLIGHT,
            answers: 0,
            spent: Duration::ZERO,
            best: None,
            shrunk: None,
            not_before: None,
        }
    }
}

impl Pace {
    /// How many may be in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How long nothing is to be sent.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.not_before
            .map(|time| time.saturating_duration_since(now))
            .unwrap_or_default()
    }

    /// Takes an answer into account.
    pub(super) fn told(&mut self, answer: Answer, now: Instant) -> Change {
        match answer {
            Answer::Given(spent) => self.given(spent),
            Answer::TooMany(asked) => {
                if let Some(asked) = asked {
                    let until = now.checked_add(asked);
                    self.not_before = self.not_before.max(until);
                }
                self.shrink(now, "the API server asks to slow down")
            }
            Answer::Trouble => self.shrink(now, "the API server is in trouble"),
        }
    }

    fn given(&mut self, spent: Duration) -> Change {
        self.answers += 1;
        self.spent += spent;
        if usize::try_from(self.answers).is_ok_and(|answers| answers < self.in_flight) {
            return Change::None;
        }
        let mean = self.spent / self.answers.max(1);
        self.answers = 0;
        self.spent = Duration::ZERO;
        let best = self.best.map_or(mean, |best| best.min(mean));
        self.best = Some(best);
        if mean > SLOW_ANSWER && mean > best * SLOW_FACTOR {
            // A queue has built up; what waits in it is no faster for being longer.
            let fewer = self.in_flight.saturating_sub(APPLIES_GROWTH);
            if self.in_flight > APPLIES_IN_FLIGHT {
                self.in_flight = fewer.max(APPLIES_IN_FLIGHT);
                return Change::Shrunk("answers take much longer than they did");
            }
            return Change::None;
        }
        let more = (self.in_flight + APPLIES_GROWTH).min(APPLIES_IN_FLIGHT_MOST);
        if more == self.in_flight {
            return Change::None;
        }
        self.in_flight = more;
        Change::Grown
    }

    /// Halves, once for all that was in flight at the same moment.
    fn shrink(&mut self, now: Instant, why: &'static str) -> Change {
        self.answers = 0;
        self.spent = Duration::ZERO;
        let just_now = self
            .shrunk
            .is_some_and(|time| now.saturating_duration_since(time) < SHRINK_ONCE_IN);
        if just_now || self.in_flight <= APPLIES_IN_FLIGHT_LEAST {
            return Change::None;
        }
        self.shrunk = Some(now);
        self.in_flight = (self.in_flight / 2).max(APPLIES_IN_FLIGHT_LEAST);
        Change::Shrunk(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Answer = Answer::Given(Duration::from_millis(5));

    /// A moment, so many seconds after the first one that is asked for.
    fn at(second: u64) -> Instant {
        static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *FIRST.get_or_init(Instant::now) + Duration::from_secs(second)
    }

    /// As many answers as are in flight.
    fn round(pace: &mut Pace, answer: Answer, now: Instant) -> Change {
        let mut last = Change::None;
        for _ in 0..pace.in_flight() {
            last = pace.told(answer, now);
        }
        last
    }

    #[test]
    fn answers_in_good_time_let_it_grow_up_to_the_limit_and_no_further() {
        let mut pace = Pace::default();
        assert!(pace.in_flight() >= 32);
        assert_eq!(round(&mut pace, FAST, at(0)), Change::Grown);
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT + APPLIES_GROWTH);
        for _ in 0..100 {
            round(&mut pace, FAST, at(0));
        }
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT_MOST);
        assert_eq!(round(&mut pace, FAST, at(0)), Change::None);
    }

    #[test]
    fn a_server_that_asks_to_slow_down_is_obeyed_once_for_all_that_was_in_flight() {
        let mut pace = Pace::default();
        let asked = Answer::TooMany(Some(Duration::from_secs(3)));
        assert!(matches!(pace.told(asked, at(10)), Change::Shrunk(_)));
        for _ in 0..30 {
            assert_eq!(pace.told(asked, at(10)), Change::None);
        }
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT / 2);
        assert_eq!(pace.wait(at(11)), Duration::from_secs(2));
        assert_eq!(pace.wait(at(14)), Duration::ZERO);
        for second in 12..100 {
            pace.told(Answer::Trouble, at(second));
        }
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT_LEAST);
    }

    #[test]
    fn it_grows_again_by_a_few_after_it_was_halved() {
        let mut pace = Pace::default();
        pace.told(Answer::Trouble, at(0));
        assert_eq!(round(&mut pace, FAST, at(1)), Change::Grown);
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT / 2 + APPLIES_GROWTH);
    }

    #[test]
    fn a_queue_that_builds_up_takes_it_back_to_where_it_began() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            round(&mut pace, FAST, at(0));
        }
        let slow = Answer::Given(SLOW_ANSWER * 2);
        assert!(matches!(round(&mut pace, slow, at(1)), Change::Shrunk(_)));
        for _ in 0..100 {
            round(&mut pace, slow, at(1));
        }
        assert_eq!(pace.in_flight(), APPLIES_IN_FLIGHT);
    }
}
