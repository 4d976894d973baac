//! How long a recovery point is kept.
//!
//! Contract: whole days, weeks, months or years in ISO 8601, as the published `AbsoluteDeleteOption`
//! has them; positive and at most ten years.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::RETENTION_DAYS_MAX;

/// A retention duration, for example `P7D`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RetentionDuration {
    text: String,
    years: i16,
    months: i32,
    weeks: i32,
    days: i32,
}

/// A text that is no retention duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a retention duration: {why}; write days, weeks, months or years in ISO 8601, for example P7D"
)]
pub struct InvalidDuration {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl RetentionDuration {
    /// When a recovery point of this time expires. Months and years are counted on the calendar in UTC,
    /// so that a point of 31 January kept for a month expires on the last day of February.
    #[must_use]
    pub fn expiry(&self, created: Timestamp) -> Timestamp {
        let later = created.to_zoned(TimeZone::UTC).checked_add(self.span());
        later.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }

    /// Whether a recovery point of some day would be kept for less than by `other`. Months and years have
    /// different lengths, so that each day of four years is asked, among which is a leap day; that the year
    /// 2100 has none makes a difference of one day there, and only between years and days.
    #[must_use]
    pub fn is_shorter_than(&self, other: &Self) -> bool {
        if (self.years, self.months, self.weeks, self.days)
            == (other.years, other.months, other.weeks, other.days)
        {
            return false;
        }
        const FOUR_YEARS: i32 = 4 * 365 + 1;
        let first = jiff::civil::date(2024, 1, 1);
        let end = |of: &Self, day: Date| day.checked_add(of.span()).unwrap_or(Date::MAX);
        (0..FOUR_YEARS)
            .filter_map(|days| first.checked_add(Span::new().days(days)).ok())
            .any(|day| end(self, day) < end(other, day))
    }

    fn span(&self) -> Span {
        Span::new()
            .years(self.years)
            .months(self.months)
            .weeks(self.weeks)
            .days(self.days)
    }
}

impl FromStr for RetentionDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why| InvalidDuration {
            text: text.chars().take(80).collect(),
            why,
        };
        if !text.starts_with('P') {
            return Err(invalid("it does not start with P"));
        }
        let span: Span = text
            .parse()
            .map_err(|_| invalid("it is not an ISO 8601 duration"))?;
        let has_time = span.get_hours() != 0
            || span.get_minutes() != 0
            || span.get_seconds() != 0
            || span.get_milliseconds() != 0
            || span.get_microseconds() != 0
            || span.get_nanoseconds() != 0;
        if has_time {
            return Err(invalid(
                "hours and shorter units are not used for retention",
            ));
        }
        if !span.is_positive() {
            return Err(invalid("it must be longer than nothing"));
        }
        // Measured from a fixed day: the limit of ten years need not be exact to the leap day.
        const ANY_DAY: Date = jiff::civil::date(2024, 1, 1);
        let days = ANY_DAY
            .checked_add(span)
            .ok()
            .and_then(|end| (end - ANY_DAY).total((jiff::Unit::Day, ANY_DAY)).ok());
        if days.is_none_or(|days| days > RETENTION_DAYS_MAX as f64) {
            return Err(invalid("it is longer than ten years"));
        }
        Ok(Self {
            text: text.to_owned(),
            years: span.get_years(),
            months: span.get_months(),
            weeks: span.get_weeks(),
            days: span.get_days(),
        })
    }
}

impl TryFrom<String> for RetentionDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RetentionDuration> for String {
    fn from(duration: RetentionDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for RetentionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
