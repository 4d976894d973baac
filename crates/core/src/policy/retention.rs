//! Retention rules and the tags that choose between them.
//!
//! Contract: a tag is the name of a retention rule; a recovery point gets its tag once, when it is made.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Calendar, Copy, RetentionDuration};

/// Where copies of a recovery point are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataStore {
    /// Beside the cluster: snapshots and the blob container.
    OperationalStore,
    /// The vault's own store.
    VaultStore,
}

impl DataStore {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OperationalStore => "OperationalStore",
            Self::VaultStore => "VaultStore",
        }
    }
}

impl fmt::Display for DataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataStore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::OperationalStore, Self::VaultStore]
            .into_iter()
            .find(|store| store.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is not a data store of this datasource: OperationalStore and VaultStore are"))
    }
}

/// How long one data store keeps a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// The store.
    pub data_store: DataStore,
    /// How long.
    pub delete_after: RetentionDuration,
    /// The copies that are made of it.
    pub copies: Vec<Copy>,
}

/// How long recovery points of a tag are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// The tag.
    pub name: String,
    /// One lifecycle for each data store, never empty.
    pub lifecycles: Vec<Lifecycle>,
}

impl RetentionRule {
    /// When a copy in a store expires; `None` when the rule keeps no copy there.
    #[must_use]
    pub fn expiry(&self, store: DataStore, created: Timestamp) -> Option<Timestamp> {
        let lifecycle = self
            .lifecycles
            .iter()
            .find(|lifecycle| lifecycle.data_store == store)?;
        Some(lifecycle.delete_after.expiry(created))
    }

    /// When the only copy of a recovery point may go: when the last of its stores lets it. A rule may
    /// keep a copy in the vault for a year and one beside the cluster for a week; as long as there is
    /// no copy in the vault, the one beside the cluster stands for both.
    #[must_use]
    pub fn kept_until(&self, created: Timestamp) -> Option<Timestamp> {
        let lifecycles = self.lifecycles.iter();
        lifecycles
            .map(|lifecycle| lifecycle.delete_after.expiry(created))
            .max()
    }
}

/// Of which period a backup must be the first successful one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirstOf {
    /// Any backup.
    AllBackup,
    /// The first of a calendar day.
    FirstOfDay,
    /// The first of a week, which begins on Monday (ISO 8601).
    FirstOfWeek,
    /// The first of a calendar month.
    FirstOfMonth,
    /// The first of a calendar year.
    FirstOfYear,
}

impl FirstOf {
    /// Whether a backup at `at` is the first of its period, given the earlier successful ones.
    #[must_use]
    pub fn is_first(self, at: Timestamp, earlier: &[Timestamp], zone: &TimeZone) -> bool {
        let period = |time: Timestamp| self.period(&time.to_zoned(zone.clone()));
        self == Self::AllBackup
            || !earlier
                .iter()
                .any(|time| *time < at && period(*time) == period(at))
    }

    /// Whether every backup that is the first of `other` is also the first of this, so that a tag of
    /// `other` behind one of this would never be given. A month does not begin with a week, so that
    /// [`Self::FirstOfWeek`] says nothing of months and years.
    #[must_use]
    pub fn takes_all_of(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::AllBackup, _)
                    | (
                        Self::FirstOfDay,
                        Self::FirstOfWeek | Self::FirstOfMonth | Self::FirstOfYear
                    )
                    | (Self::FirstOfMonth, Self::FirstOfYear)
            )
    }

    /// Names the period in which a time lies.
    fn period(self, time: &Zoned) -> (i16, i16) {
        let date = time.date();
        match self {
            Self::AllBackup => (0, 0),
            Self::FirstOfDay => (date.year(), date.day_of_year()),
            Self::FirstOfWeek => {
                let week = date.iso_week_date();
                (week.year(), i16::from(week.week()))
            }
            Self::FirstOfMonth => (date.year(), i16::from(date.month())),
            Self::FirstOfYear => (date.year(), 0),
        }
    }
}

impl fmt::Display for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllBackup => "AllBackup",
            Self::FirstOfDay => "FirstOfDay",
            Self::FirstOfWeek => "FirstOfWeek",
            Self::FirstOfMonth => "FirstOfMonth",
            Self::FirstOfYear => "FirstOfYear",
        })
    }
}

impl FromStr for FirstOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "AllBackup" => Self::AllBackup,
            "FirstOfDay" => Self::FirstOfDay,
            "FirstOfWeek" => Self::FirstOfWeek,
            "FirstOfMonth" => Self::FirstOfMonth,
            "FirstOfYear" => Self::FirstOfYear,
            _ => {
                return Err(format!(
                    "{text:?} is not a criterion: AllBackup, FirstOfDay, FirstOfWeek, FirstOfMonth and FirstOfYear are"
                ));
            }
        })
    }
}

/// Which backups get a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagging {
    /// The tag, in the case of its retention rule.
    pub tag: String,
    /// Smaller wins.
    pub priority: i64,
    /// One of these, or of the calendar ones, must hold.
    pub criteria: Vec<FirstOf>,
    /// See `criteria`.
    pub calendar: Vec<Calendar>,
}
