//! Calendar criteria of a tag: on which days, and at which times of the schedule.
//!
//! Contract: pure; a moment of the schedule is looked at in the policy's time zone. All parts that are given
//! must fit, of each part one. Source: the published model `ScheduleBasedBackupCriteria`.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::{FirstOf, RepeatingInterval};

/// Years after which weekdays and dates come again in the same order.
const YEARS_OF_A_CYCLE: i64 = 28;

/// Moments of a schedule that are looked at for a time of the day: more than three days of the shortest
/// interval, so that every time of a day that it ever has is among them.
const MOMENTS: usize = 1_000;

/// Calendar criteria as they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalendarSpec {
    /// As those of the tag: of which period it must be the first.
    pub absolute_criteria: Vec<String>,
    /// `Monday` … `Sunday`.
    pub days_of_the_week: Vec<String>,
    /// `First` … `Fourth`, `Last`.
    pub weeks_of_the_month: Vec<String>,
    /// `January` … `December`.
    pub months_of_year: Vec<String>,
    /// Days of the month.
    pub days_of_month: Vec<DaySpec>,
    /// Times of the schedule, of which the time of the day counts.
    pub schedule_times: Vec<Timestamp>,
}

/// A day of the month as it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaySpec {
    /// 1 to 28; none or 0 with `is_last`.
    pub date: Option<i64>,
    /// The month's last day.
    pub is_last: bool,
}

/// Which moments a tag takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// One of these must hold besides; empty: none need.
    pub first_of: Vec<FirstOf>,
    weekdays: BTreeSet<i8>,
    weeks: BTreeSet<Week>,
    months: BTreeSet<i8>,
    days: BTreeSet<Day>,
    times: BTreeSet<Time>,
}

/// A week of a month: seven days from its first on, or its last seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Week {
    Nth(i8),
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Day {
    Nth(i8),
    Last,
}

const WEEKS: [(&str, Week); 5] = [
    ("First", Week::Nth(0)),
    ("Second", Week::Nth(1)),
    ("Third", Week::Nth(2)),
    ("Fourth", Week::Nth(3)),
    ("Last", Week::Last),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

const MONTHS: [(&str, i8); 12] = [
    ("January", 1),
    ("February", 2),
    ("March", 3),
    ("April", 4),
    ("May", 5),
    ("June", 6),
    ("July", 7),
    ("August", 8),
    ("September", 9),
    ("October", 10),
    ("November", 11),
    ("December", 12),
];

impl CalendarSpec {
    /// Understands the criteria for a schedule in a time zone.
    ///
    /// # Errors
    /// All that is wrong with them, that no moment would ever fit included.
    pub fn understand(
        &self,
        intervals: &[RepeatingInterval],
        zone: &TimeZone,
    ) -> Result<Calendar, Vec<String>> {
        let mut faults = Vec::new();
        let mut calendar = Calendar::default();
        for text in &self.absolute_criteria {
            match text.parse() {
                Ok(first_of) => calendar.first_of.push(first_of),
                Err(fault) => faults.push(fault),
            }
        }
        let weekdays = named(
            &self.days_of_the_week,
            &WEEKDAYS,
            "day of the week",
            &mut faults,
        );
        calendar.weekdays = weekdays
            .into_iter()
            .map(Weekday::to_monday_one_offset)
            .collect();
        calendar.weeks = named(
            &self.weeks_of_the_month,
            &WEEKS,
            "week of the month",
            &mut faults,
        )
        .into_iter()
        .collect();
        calendar.months = named(&self.months_of_year, &MONTHS, "month", &mut faults)
            .into_iter()
            .collect();
        for day in &self.days_of_month {
            match (day.date.filter(|date| *date != 0), day.is_last) {
                (None, true) => _ = calendar.days.insert(Day::Last),
                (Some(date @ 1..=28), false) => {
                    calendar.days.extend(i8::try_from(date).map(Day::Nth));
                }
                (Some(date), false) => {
                    faults.push(format!(
                        "{date} is not a day that each month has: 1 to 28 are"
                    ));
                }
                (Some(_), true) => {
                    faults.push("a day of the month is either a date or the last".to_owned());
                }
                (None, false) => faults.push("a day of the month names no date".to_owned()),
            }
        }
        let at = |time: &Timestamp| minute(*time, zone);
        calendar.times = self.schedule_times.iter().map(at).collect();
        if faults.is_empty() {
            faults.extend(calendar.never(intervals, zone));
        }
        if faults.is_empty() {
            Ok(calendar)
        } else {
            Err(faults)
        }
    }
}

fn named<T: Copy>(
    texts: &[String],
    known: &[(&str, T)],
    what: &str,
    faults: &mut Vec<String>,
) -> Vec<T> {
    let mut found = Vec::new();
    for text in texts {
        match known
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
        {
            Some((_, value)) => found.push(*value),
            None => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                faults.push(format!("{text:?} is no {what}: {}", names.join(", ")));
            }
        }
    }
    found
}

/// The time of the day of a moment, to the minute.
fn minute(moment: Timestamp, zone: &TimeZone) -> Time {
    let time = moment.to_zoned(zone.clone()).time();
    Time::constant(time.hour(), time.minute(), 0, 0)
}

impl Calendar {
    /// Whether a moment of the schedule fits, whatever came before it.
    #[must_use]
    pub fn fits(&self, moment: Timestamp, zone: &TimeZone) -> bool {
        let date = moment.to_zoned(zone.clone()).date();
        self.fits_date(date) && self.fits_time(minute(moment, zone))
    }

    fn fits_time(&self, time: Time) -> bool {
        self.times.is_empty() || self.times.contains(&time)
    }

    fn fits_date(&self, date: Date) -> bool {
        let last = date.days_in_month();
        let week = |week: &Week| match week {
            Week::Nth(n) => (date.day() - 1) / 7 == *n,
            Week::Last => date.day() > last - 7,
        };
        let day = |day: &Day| match day {
            Day::Nth(n) => date.day() == *n,
            Day::Last => date.day() == last,
        };
        let weekday = date.weekday().to_monday_one_offset();
        (self.weekdays.is_empty() || self.weekdays.contains(&weekday))
            && (self.weeks.is_empty() || self.weeks.iter().any(week))
            && (self.months.is_empty() || self.months.contains(&date.month()))
            && (self.days.is_empty() || self.days.iter().any(day))
    }

    /// Why no moment would ever fit, if none would.
    fn never(&self, intervals: &[RepeatingInterval], zone: &TimeZone) -> Option<String> {
        let begin = date(2001, 1, 1);
        let end = begin.saturating_add(YEARS_OF_A_CYCLE.years());
        let mut days = begin.series(1.day()).take_while(|day| *day < end);
        if !days.any(|day| self.fits_date(day)) {
            return Some("no day is all that it asks for".to_owned());
        }
        let has_time = intervals.iter().any(|interval| {
            let mut moment = interval.next_due(Timestamp::MIN, zone);
            let next = |moment: &Timestamp| interval.next_due(*moment, zone);
            (0..MOMENTS).any(|_| {
                let Some(now) = moment else { return false };
                moment = next(&now);
                self.fits_time(minute(now, zone))
            })
        });
        (!intervals.is_empty() && !has_time)
            .then(|| "the schedule is never due at its scheduleTimes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(at: &str) -> Vec<RepeatingInterval> {
        vec![RepeatingInterval::parse(&format!("R/2026-01-01T{at}+00:00/P1D")).unwrap()]
    }

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// The days of 2026 on which a daily backup fits.
    fn days(spec: &CalendarSpec) -> Vec<String> {
        let zone = TimeZone::UTC;
        let calendar = spec.understand(&daily("02:30:00"), &zone).unwrap();
        let moments = date(2026, 1, 1).at(2, 30, 0, 0).series(1.day()).take(365);
        moments
            .filter(|moment| calendar.fits(zone.to_timestamp(*moment).unwrap(), &zone))
            .map(|moment| moment.date().to_string())
            .collect()
    }

    #[test]
    fn all_parts_that_are_given_must_fit() {
        let first_sundays = CalendarSpec {
            days_of_the_week: words(&["Sunday"]),
            weeks_of_the_month: words(&["First"]),
            months_of_year: words(&["January", "june"]),
            ..CalendarSpec::default()
        };
        assert_eq!(days(&first_sundays), ["2026-01-04", "2026-06-07"]);
        let last_of_february = CalendarSpec {
            days_of_month: vec![DaySpec {
                date: None,
                is_last: true,
            }],
            months_of_year: words(&["February"]),
            ..CalendarSpec::default()
        };
        assert_eq!(days(&last_of_february), ["2026-02-28"]);
        let fridays_13th = CalendarSpec {
            days_of_the_week: words(&["Friday"]),
            days_of_month: vec![DaySpec {
                date: Some(13),
                is_last: false,
            }],
            ..CalendarSpec::default()
        };
        assert_eq!(
            days(&fridays_13th),
            ["2026-02-13", "2026-03-13", "2026-11-13"]
        );
        let last_mondays = CalendarSpec {
            days_of_the_week: words(&["Monday"]),
            weeks_of_the_month: words(&["Last"]),
            ..CalendarSpec::default()
        };
        assert_eq!(days(&last_mondays).len(), 12);
    }

    #[test]
    fn times_of_the_day_are_those_of_the_schedule_in_its_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let text = "R/2026-01-01T09:00:00/PT12H";
        let twice = vec![RepeatingInterval::parse(text).unwrap()];
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let spec = CalendarSpec {
            schedule_times: vec![at("2026-01-01T08:00:00Z")],
            ..CalendarSpec::default()
        };
        let calendar = spec.understand(&twice, &zone).unwrap();
        assert!(calendar.fits(at("2026-02-03T08:00:30Z"), &zone));
        assert!(!calendar.fits(at("2026-02-03T20:00:00Z"), &zone));
    }

    #[test]
    fn what_no_moment_would_ever_fit_is_refused_with_the_reason() {
        let fault = |spec: CalendarSpec| {
            let refused = spec.understand(&daily("02:30:00"), &TimeZone::UTC);
            refused.unwrap_err().join("; ")
        };
        let odd = CalendarSpec {
            days_of_the_week: words(&["Funday"]),
            days_of_month: vec![DaySpec {
                date: Some(31),
                is_last: false,
            }],
            absolute_criteria: words(&["FirstOfHour"]),
            ..CalendarSpec::default()
        };
        let told = fault(odd);
        for part in ["Funday", "31 is not a day", "FirstOfHour"] {
            assert!(told.contains(part), "{told}");
        }
        let never = CalendarSpec {
            days_of_month: vec![DaySpec {
                date: Some(1),
                is_last: false,
            }],
            weeks_of_the_month: words(&["Fourth"]),
            ..CalendarSpec::default()
        };
        assert!(fault(never).contains("no day is all"));
        let time = CalendarSpec {
            schedule_times: vec!["2026-01-01T03:30:00Z".parse().unwrap()],
            ..CalendarSpec::default()
        };
        assert!(fault(time).contains("never due"));
    }
}
