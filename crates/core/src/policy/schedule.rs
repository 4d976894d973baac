//! Repeating intervals: when the next backup is due.
//!
//! Contract: pure; the time is an argument. Hours and minutes are counted exactly from the start; days,
//! weeks and months on the calendar of the schedule's time zone, so that a backup at 9 o'clock stays at
//! 9 o'clock over a change of daylight saving time.
//! Source: ISO 8601-1:2019 5.6.1 (repeating intervals), the published `ScheduleBasedTriggerContext`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

use crate::limits::SCHEDULE_INTERVAL_MIN;

/// `R/2023-01-04T09:00:00+00:00/PT4H`, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct RepeatingInterval {
    text: String,
    /// How many times it repeats after the first; `None` without end.
    repetitions: Option<u64>,
    start: Start,
    period: Period,
}

/// When the first backup is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// At this instant.
    At(Timestamp),
    /// At this time of the schedule's time zone.
    Local(DateTime),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Period {
    /// A fixed time.
    Exact(SignedDuration),
    /// So many days.
    Days(i64),
    /// So many months.
    Months(i64),
}

/// A text that is no repeating interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a repeating interval: {why}; write it like R/2023-01-04T09:00:00+00:00/PT4H"
)]
pub struct InvalidInterval {
    /// The text, shortened.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl RepeatingInterval {
    /// Reads an interval.
    ///
    /// # Errors
    /// When it is not `R[n]/<time>/<duration>`, mixes calendar and clock units, or is shorter than
    /// [`SCHEDULE_INTERVAL_MIN`].
    pub fn parse(text: &str) -> Result<Self, InvalidInterval> {
        let fail = |why| InvalidInterval {
            text: text.chars().take(80).collect(),
            why,
        };
        let mut parts = text.trim().split('/');
        let (Some(repeat), Some(start), Some(period), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(fail("it does not have three parts"));
        };
        let repetitions = match repeat.strip_prefix('R') {
            Some("") => None,
            Some(number) => Some(
                number
                    .parse()
                    .map_err(|_| fail("the number after R is not a whole number"))?,
            ),
            None => return Err(fail("it does not start with R")),
        };
        let start = parse_start(start).ok_or_else(|| fail("the start is not an ISO 8601 time"))?;
        let period = parse_period(period).map_err(fail)?;
        Ok(Self {
            text: text.trim().to_owned(),
            repetitions,
            start,
            period,
        })
    }

    /// The first due time strictly after `after`; `None` when the repetitions are used up.
    #[must_use]
    pub fn next_due(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let first = self.nth(0, zone)?;
        if after < first {
            return Some(first);
        }
        // A lower bound of the number of periods that have passed; calendar periods vary by days only,
        // so that few steps remain.
        let seconds = after.duration_since(first).as_secs();
        let passed = match self.period {
            Period::Exact(period) => seconds / period.as_secs().max(1),
            Period::Days(days) => seconds / (days * 86_400) - 1,
            Period::Months(months) => seconds / (months * 31 * 86_400) - 1,
        };
        let mut n = u64::try_from(passed).unwrap_or(0);
        loop {
            if self.repetitions.is_some_and(|last| n > last) {
                return None;
            }
            let due = self.nth(n, zone)?;
            if due > after {
                return Some(due);
            }
            n += 1;
        }
    }

    /// The last due time at or before `until`; `None` when the first one is still to come.
    #[must_use]
    pub fn latest_due(&self, until: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let first = self.nth(0, zone)?;
        if until < first {
            return None;
        }
        // An upper bound of the number of periods that have passed; see `next_due`.
        let seconds = until.duration_since(first).as_secs();
        let passed = match self.period {
            Period::Exact(period) => seconds / period.as_secs().max(1),
            Period::Days(days) => seconds / (days * 86_400) + 1,
            Period::Months(months) => seconds / (months * 28 * 86_400) + 1,
        };
        let passed = u64::try_from(passed).unwrap_or(0);
        let mut n = self.repetitions.map_or(passed, |last| last.min(passed));
        loop {
            match self.nth(n, zone) {
                Some(due) if due <= until => return Some(due),
                // Too late, or beyond the end of time.
                _ => n = n.checked_sub(1)?,
            }
        }
    }

    /// The due time after `n` periods; `None` beyond the end of time.
    fn nth(&self, n: u64, zone: &TimeZone) -> Option<Timestamp> {
        let n = i64::try_from(n).ok()?;
        let start = match self.start {
            Start::At(at) => at.to_zoned(zone.clone()),
            Start::Local(local) => local.to_zoned(zone.clone()).ok()?,
        };
        let zoned = match self.period {
            Period::Exact(period) => {
                let seconds = period.as_secs().checked_mul(n)?;
                start.checked_add(SignedDuration::from_secs(seconds)).ok()?
            }
            Period::Days(days) => start
                .checked_add(Span::new().try_days(days.checked_mul(n)?).ok()?)
                .ok()?,
            Period::Months(months) => start
                .checked_add(Span::new().try_months(months.checked_mul(n)?).ok()?)
                .ok()?,
        };
        Some(zoned.timestamp())
    }
}

impl fmt::Display for RepeatingInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for RepeatingInterval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A time with an offset is an instant; without one it is local to the schedule's time zone.
fn parse_start(text: &str) -> Option<Start> {
    let pieces = Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    match pieces.to_numeric_offset() {
        Some(offset) => instant(local, offset).map(Start::At),
        None if text.ends_with('Z') => instant(local, Offset::UTC).map(Start::At),
        None => Some(Start::Local(local)),
    }
}

fn instant(local: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(local).ok()
}

fn parse_period(text: &str) -> Result<Period, &'static str> {
    if !text.starts_with('P') {
        return Err("the period does not start with P");
    }
    let span: Span = text
        .parse()
        .map_err(|_| "the period is not an ISO 8601 duration")?;
    let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let clock = SignedDuration::from_secs(
        i64::from(span.get_hours()) * 3_600 + span.get_minutes() * 60 + span.get_seconds(),
    );
    let finer =
        span.get_milliseconds() != 0 || span.get_microseconds() != 0 || span.get_nanoseconds() != 0;
    if finer || months < 0 || days < 0 || clock.is_negative() {
        return Err("the period is negative or has parts of a second");
    }
    match (months, days, clock.is_zero()) {
        (0, 0, _) if clock.unsigned_abs() < SCHEDULE_INTERVAL_MIN => {
            Err("the period is shorter than 5 minutes")
        }
        (0, 0, _) => Ok(Period::Exact(clock)),
        (0, days, true) => Ok(Period::Days(days)),
        (months, 0, true) => Ok(Period::Months(months)),
        _ => Err("the period mixes months, days and hours"),
    }
}
