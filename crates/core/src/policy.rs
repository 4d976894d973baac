//! A backup policy: when to back up and how long to keep.
//!
//! Contract: [`PolicySpec`] is parsed input, [`BackupPolicy`] its validated meaning; only a valid policy
//! can be asked anything. Validation names every fault at once.
//! Source: <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup#create-a-backup-policy>
//! and the published model `BackupPolicy` of `Microsoft.DataProtection`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};

pub mod calendar;
pub mod copy;
pub mod duration;
pub mod edit;
pub mod expiry;
pub mod retention;
pub mod retention_clock;
pub mod schedule;
pub mod simulate;
#[cfg(test)]
mod tests;
pub mod turn;
mod validate;

pub use calendar::{Calendar, CalendarSpec, DaySpec};
pub use copy::{Copy, CopyAfter, CopySpec};
pub use duration::RetentionDuration;
pub use edit::{Edited, Effect, edited};
pub use expiry::{Circumstances, Keep, Latest, Verdict};
pub use retention::{DataStore, FirstOf, Lifecycle, RetentionRule, Tagging};
pub use retention_clock::{Leap, RetentionClock};
pub use schedule::RepeatingInterval;
pub use simulate::{Foreseen, Simulation, TooLong, simulate};
pub use turn::{ScheduleState, Turn};

/// Name of the tag and of the retention rule that every policy has.
pub const DEFAULT_TAG: &str = "Default";

/// A policy as it is sent: texts, not yet understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicySpec {
    /// Name of the backup rule, for example `BackupHourly`.
    pub backup_rule_name: String,
    /// Repeating intervals, for example `R/2023-01-04T09:00:00+00:00/PT4H`.
    pub repeating_time_intervals: Vec<String>,
    /// Time zone in which calendar days are counted; empty means UTC.
    pub time_zone: String,
    /// Which backups get which tag.
    pub tagging: Vec<TaggingSpec>,
    /// How long tagged backups are kept.
    pub retention: Vec<RetentionSpec>,
}

/// A tagging criterion as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaggingSpec {
    /// The tag.
    pub tag: String,
    /// Whether it is the tag of all that no other criterion takes.
    pub is_default: bool,
    /// Smaller wins; published defaults: Yearly 10, Monthly 15, Weekly 20, Daily 25, Default 99.
    pub priority: i64,
    /// Absolute criteria: `FirstOfDay`, `FirstOfWeek`, `FirstOfMonth`, `FirstOfYear`, `AllBackup`.
    pub absolute_criteria: Vec<String>,
    /// Calendar criteria; one of them, or of the absolute ones, must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calendar: Vec<CalendarSpec>,
}

/// A retention rule as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetentionSpec {
    /// Name of the rule: the tag whose backups it keeps.
    pub name: String,
    /// Whether it is the Default rule.
    pub is_default: bool,
    /// One for each data store, in the order in which a backup moves through them.
    pub lifecycles: Vec<LifecycleSpec>,
}

/// A lifecycle as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LifecycleSpec {
    /// The data store: `OperationalStore`, `VaultStore`.
    pub source_data_store: String,
    /// How long, for example `P7D`.
    pub delete_after: String,
    /// To which other data stores it is copied, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopySpec>,
}

/// A policy that can be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupPolicy {
    /// Name of the backup rule.
    pub backup_rule_name: String,
    /// When backups are due; empty means on demand only.
    pub intervals: Vec<RepeatingInterval>,
    /// Where calendar days begin.
    pub time_zone: TimeZone,
    /// Criteria in the order in which they are asked: smallest priority first, Default last.
    pub tagging: Vec<Tagging>,
    /// Rules, `Default` among them, one for each name.
    pub retention: Vec<RetentionRule>,
}

impl PolicySpec {
    /// Validates the policy.
    ///
    /// # Errors
    /// One [`Problem`] for each fault: no `Default` retention rule, an interval that does not parse or
    /// is shorter than 5 minutes, a duration that does not parse, a tag without a rule, doubled names
    /// or priorities, an unknown time zone.
    pub fn validate(&self) -> Result<BackupPolicy, Vec<Problem>> {
        validate::policy(self)
    }

    /// The published default template: every four hours from `start`, kept for seven days in the
    /// operational store.
    #[must_use]
    pub fn default_template(start: Timestamp) -> Self {
        Self {
            backup_rule_name: "BackupHourly".to_owned(),
            repeating_time_intervals: vec![format!(
                "R/{}+00:00/PT4H",
                start.strftime("%Y-%m-%dT%H:%M:%S")
            )],
            time_zone: "UTC".to_owned(),
            tagging: vec![TaggingSpec {
                tag: DEFAULT_TAG.to_owned(),
                is_default: true,
                priority: 99,
                ..TaggingSpec::default()
            }],
            retention: vec![RetentionSpec {
                name: DEFAULT_TAG.to_owned(),
                is_default: true,
                lifecycles: vec![LifecycleSpec {
                    source_data_store: "OperationalStore".to_owned(),
                    delete_after: "P7D".to_owned(),
                    copies: Vec::new(),
                }],
            }],
        }
    }
}

impl BackupPolicy {
    /// The next time after `after` at which a backup is due; `None` when the schedule has ended or
    /// there is none. After a downtime this is one time in the future, never a list of missed ones.
    #[must_use]
    pub fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        self.intervals
            .iter()
            .filter_map(|interval| interval.next_due(after, &self.time_zone))
            .min()
    }

    /// The schedule in words: two policies with the same words are due at the same moments.
    #[must_use]
    pub fn schedule_text(&self) -> String {
        let intervals: Vec<String> = self.intervals.iter().map(ToString::to_string).collect();
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        format!("{} in {zone}", intervals.join(", "))
    }

    /// The last time at or before `until` at which a backup was due.
    #[must_use]
    pub fn latest_due(&self, until: Timestamp) -> Option<Timestamp> {
        self.intervals
            .iter()
            .filter_map(|interval| interval.latest_due(until, &self.time_zone))
            .max()
    }

    /// When a recovery point may go that was promised to stay until `promised` when it was made. A
    /// policy that keeps its tag for longer now prolongs that; one that keeps it for shorter, or does
    /// not know the tag any more, takes nothing back. `None`: never.
    #[must_use]
    pub fn expiry(
        &self,
        tag: &str,
        created: Timestamp,
        promised: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let promised = promised?;
        let rule = self
            .retention
            .iter()
            .find(|rule| rule.name.eq_ignore_ascii_case(tag));
        let now = rule.and_then(|rule| rule.kept_until(created));
        Some(now.map_or(promised, |now| now.max(promised)))
    }

    /// The rule that keeps backups of a tag; an unknown tag falls to `Default`.
    #[must_use]
    pub fn retention_of(&self, tag: &str) -> Option<&RetentionRule> {
        let named = |name: &str| {
            self.retention
                .iter()
                .find(|rule| rule.name.eq_ignore_ascii_case(name))
        };
        named(tag).or_else(|| named(DEFAULT_TAG))
    }

    /// The tag for an on-demand backup: the one asked for, or `Default` when none is.
    ///
    /// # Errors
    /// When the policy has no retention rule of that name.
    pub fn on_demand_tag(&self, requested: Option<&str>) -> Result<&str, Problem> {
        let wanted = requested
            .filter(|tag| !tag.is_empty())
            .unwrap_or(DEFAULT_TAG);
        let rule = self
            .retention
            .iter()
            .find(|rule| rule.name.eq_ignore_ascii_case(wanted));
        rule.map(|rule| rule.name.as_str()).ok_or_else(|| {
            let names: Vec<&str> = self
                .retention
                .iter()
                .map(|rule| rule.name.as_str())
                .collect();
            let message = format!(
                "the policy has no retention tag {wanted}; it has {}",
                names.join(", ")
            );
            Problem::new(Code::UserErrorRetentionTagNotInPolicy, message).at("retentionTagOverride")
        })
    }

    /// The tag for a scheduled backup at `at`, given the times of the earlier successful ones: the
    /// first criterion, by priority, of whose period this is the first.
    #[must_use]
    pub fn tag_for(&self, at: Timestamp, earlier: &[Timestamp]) -> &str {
        self.tag_of(at, at, earlier)
    }

    /// The same for a backup that the schedule asked for at `moment`: calendar criteria ask for that, and
    /// not for when it came to be.
    #[must_use]
    pub fn tag_of(&self, moment: Timestamp, at: Timestamp, earlier: &[Timestamp]) -> &str {
        let zone = &self.time_zone;
        let is_first = |first_of: &FirstOf| first_of.is_first(at, earlier, zone);
        let fits = |calendar: &Calendar| {
            let first_of = &calendar.first_of;
            calendar.fits(moment, zone) && (first_of.is_empty() || first_of.iter().any(is_first))
        };
        let first = self.tagging.iter().find(|tagging| {
            tagging.criteria.iter().any(is_first) || tagging.calendar.iter().any(fits)
        });
        first.map_or(DEFAULT_TAG, |tagging| tagging.tag.as_str())
    }
}
