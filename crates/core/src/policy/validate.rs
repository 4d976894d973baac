//! Validation of a policy: from texts to meaning, every fault named.
//!
//! Contract: the targets of the problems are the published field names.

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{
    BackupPolicy, Calendar, Copy, DEFAULT_TAG, DataStore, FirstOf, Lifecycle, PolicySpec,
    RepeatingInterval, RetentionDuration, RetentionRule, RetentionSpec, Tagging,
};
use crate::error::{Code, Problem};
use crate::limits::{POLICY_RULES_MAX, POLICY_SCHEDULES_MAX};
use crate::name::{self, NameKind};

const INTERVALS: &str = "properties.policyRules.trigger.schedule.repeatingTimeIntervals";
const TAGGING: &str = "properties.policyRules.trigger.taggingCriteria";
const RETENTION: &str = "properties.policyRules";

/// Validates a whole policy.
pub(super) fn policy(spec: &PolicySpec) -> Result<BackupPolicy, Vec<Problem>> {
    let mut problems = Vec::new();
    let intervals = intervals(spec, &mut problems);
    let time_zone = time_zone(&spec.time_zone).unwrap_or_else(|problem| {
        problems.push(problem);
        TimeZone::UTC
    });
    let retention = retention(&spec.retention, &mut problems);
    let tagging = tagging(spec, &intervals, &time_zone, &mut problems);
    if problems.is_empty() {
        Ok(BackupPolicy {
            backup_rule_name: spec.backup_rule_name.clone(),
            intervals,
            time_zone,
            tagging,
            retention,
        })
    } else {
        Err(problems)
    }
}

fn invalid(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::UserErrorInvalidBackupPolicy, message).at(target)
}

fn intervals(spec: &PolicySpec, problems: &mut Vec<Problem>) -> Vec<RepeatingInterval> {
    let texts = &spec.repeating_time_intervals;
    if texts.len() > POLICY_SCHEDULES_MAX {
        problems.push(invalid(
            INTERVALS,
            format!(
                "{} intervals; at most {POLICY_SCHEDULES_MAX} are accepted",
                texts.len()
            ),
        ));
        return Vec::new();
    }
    let mut intervals = Vec::with_capacity(texts.len());
    for text in texts {
        match RepeatingInterval::parse(text) {
            Ok(interval) => intervals.push(interval),
            Err(e) => problems.push(
                Problem::new(Code::UserErrorInvalidScheduleInterval, e.to_string()).at(INTERVALS),
            ),
        }
    }
    intervals
}

/// The zone of a name. The database is compiled in: what a schedule means must not depend on the
/// machine that asks.
fn time_zone(name: &str) -> Result<TimeZone, Problem> {
    match name {
        // Clients send the Windows name of UTC as well.
        "" | "UTC" | "Coordinated Universal Time" => Ok(TimeZone::UTC),
        _ => TimeZoneDatabase::bundled().get(name).map_err(|_| {
            let target = "properties.policyRules.trigger.schedule.timeZone";
            invalid(
                target,
                format!(
                    "{name:?} is not a time zone; write UTC or an IANA name such as Europe/Berlin"
                ),
            )
        }),
    }
}

fn retention(specs: &[RetentionSpec], problems: &mut Vec<Problem>) -> Vec<RetentionRule> {
    if specs.len() > POLICY_RULES_MAX {
        problems.push(invalid(
            RETENTION,
            format!(
                "{} retention rules; at most {POLICY_RULES_MAX} are accepted",
                specs.len()
            ),
        ));
        return Vec::new();
    }
    let is_default = |spec: &RetentionSpec| spec.name.eq_ignore_ascii_case(DEFAULT_TAG);
    if !specs.iter().any(|spec| is_default(spec) && spec.is_default) {
        let message = "the policy needs one retention rule named Default with isDefault true; it can be edited but not removed";
        problems
            .push(Problem::new(Code::UserErrorDefaultRetentionRuleMissing, message).at(RETENTION));
    }
    if let Some(other) = specs
        .iter()
        .find(|spec| spec.is_default && !is_default(spec))
    {
        problems.push(invalid(
            RETENTION,
            format!("rule {} has isDefault true; only Default may", other.name),
        ));
    }
    let mut names = BTreeSet::new();
    let mut rules = Vec::with_capacity(specs.len());
    for spec in specs {
        if let Err(e) = name::check(NameKind::PolicyRule, &spec.name) {
            problems.push(invalid(RETENTION, e.to_string()));
        } else if !names.insert(spec.name.to_lowercase()) {
            problems.push(invalid(
                RETENTION,
                format!("retention rule {} appears twice", spec.name),
            ));
        }
        rules.push(RetentionRule {
            name: spec.name.clone(),
            lifecycles: lifecycles(spec, problems),
        });
    }
    rules
}

fn lifecycles(spec: &RetentionSpec, problems: &mut Vec<Problem>) -> Vec<Lifecycle> {
    if spec.lifecycles.is_empty() {
        problems.push(invalid(
            RETENTION,
            format!(
                "retention rule {} has no lifecycle, so it keeps nothing",
                spec.name
            ),
        ));
    }
    let mut stores = BTreeSet::new();
    let mut lifecycles = Vec::with_capacity(spec.lifecycles.len());
    for lifecycle in &spec.lifecycles {
        let delete_after = lifecycle.delete_after.parse().map_err(|e| {
            let message = format!("retention rule {}: {e}", spec.name);
            Problem::new(Code::UserErrorInvalidRetentionDuration, message).at(RETENTION)
        });
        let store = lifecycle
            .source_data_store
            .parse()
            .map_err(|e: String| invalid(RETENTION, format!("retention rule {}: {e}", spec.name)));
        match (store, delete_after) {
            (Ok(data_store), Ok(_)) if !stores.insert(data_store) => {
                problems.push(invalid(
                    RETENTION,
                    format!("retention rule {} names {data_store} twice", spec.name),
                ));
            }
            (Ok(data_store), Ok(delete_after)) => {
                let copies = copies(spec, lifecycle, data_store, &delete_after, problems);
                lifecycles.push(Lifecycle {
                    data_store,
                    delete_after,
                    copies,
                });
            }
            (store, delete_after) => {
                problems.extend(store.err().into_iter().chain(delete_after.err()))
            }
        }
    }
    lifecycles
}

fn copies(
    rule: &RetentionSpec,
    lifecycle: &super::LifecycleSpec,
    source: DataStore,
    kept: &RetentionDuration,
    problems: &mut Vec<Problem>,
) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    let mut refuse = |why: String| {
        problems.push(invalid(
            RETENTION,
            format!("retention rule {}: {why}", rule.name),
        ));
    };
    for copy in &lifecycle.copies {
        match copy.understand(source, kept) {
            Ok(copy) if copies.iter().any(|other| other.target == copy.target) => {
                refuse(format!("it is copied to {} twice", copy.target));
            }
            Ok(copy) if !keeps_in(rule, copy.target) => refuse(format!(
                "it is copied to {}, but no lifecycle says how long it is kept there",
                copy.target
            )),
            Ok(copy) => copies.push(copy),
            Err(why) => refuse(why),
        }
    }
    copies
}

fn keeps_in(rule: &RetentionSpec, store: DataStore) -> bool {
    let stores = rule
        .lifecycles
        .iter()
        .map(|lifecycle| lifecycle.source_data_store.parse());
    stores.flatten().any(|kept_in: DataStore| kept_in == store)
}

fn tagging(
    spec: &PolicySpec,
    intervals: &[RepeatingInterval],
    zone: &TimeZone,
    problems: &mut Vec<Problem>,
) -> Vec<Tagging> {
    let (mut tags, mut priorities) = (BTreeSet::new(), BTreeSet::new());
    let mut taggings = Vec::with_capacity(spec.tagging.len());
    for criterion in &spec.tagging {
        let tag = &criterion.tag;
        let Some(rule) = spec
            .retention
            .iter()
            .find(|rule| rule.name.eq_ignore_ascii_case(tag))
        else {
            problems.push(invalid(
                TAGGING,
                format!("tag {tag} has no retention rule of that name"),
            ));
            continue;
        };
        if !tags.insert(tag.to_lowercase()) {
            problems.push(invalid(TAGGING, format!("tag {tag} appears twice")));
        }
        if !priorities.insert(criterion.priority) {
            problems.push(invalid(
                TAGGING,
                format!("two tags have priority {}", criterion.priority),
            ));
        }
        if criterion.is_default != tag.eq_ignore_ascii_case(DEFAULT_TAG) {
            problems.push(invalid(
                TAGGING,
                format!("tag {tag}: isDefault must be true for Default and for no other tag"),
            ));
        }
        let calendar = calendar(criterion, intervals, zone, problems);
        let criteria = criteria(criterion, problems);
        taggings.push(Tagging {
            tag: rule.name.clone(),
            priority: criterion.priority,
            criteria,
            calendar,
        });
    }
    let scheduled = !spec.repeating_time_intervals.is_empty();
    if scheduled && !spec.tagging.iter().any(|criterion| criterion.is_default) {
        problems.push(invalid(
            TAGGING,
            "the schedule has no Default tagging criterion",
        ));
    }
    taggings.sort_by_key(|tagging| (tagging.tag == DEFAULT_TAG, tagging.priority));
    problems.extend(never_given(&taggings));
    taggings
}

/// Tags that no backup would ever get, because others before them take all of theirs: what somebody
/// wants to keep for years would be gone in days, and nobody would be told.
fn never_given(in_order: &[Tagging]) -> Option<Problem> {
    let named = in_order.iter().filter(|tagging| tagging.tag != DEFAULT_TAG);
    let mut before: Vec<(&Tagging, FirstOf)> = Vec::new();
    for tagging in named {
        let taken_by = |first_of: &FirstOf| {
            let mut taken = before.iter();
            taken.find(|(_, other)| other.takes_all_of(*first_of))
        };
        // Only what takes every backup takes all that are of a day or a time.
        let by_calendar = tagging.calendar.iter().map(|_| FirstOf::AllBackup);
        let asked: Vec<FirstOf> = tagging
            .criteria
            .iter()
            .copied()
            .chain(by_calendar)
            .collect();
        let takers: Option<Vec<_>> = asked.iter().map(taken_by).collect();
        if let Some((taker, first_of)) = takers.and_then(|takers| takers.first().copied()) {
            let message = format!(
                "tag {} (priority {}) would never be given: {} (priority {}, {first_of}) comes before \
                 it and takes every backup that it would; give what is kept longer the smaller number",
                tagging.tag, tagging.priority, taker.tag, taker.priority
            );
            return Some(invalid(TAGGING, message));
        }
        before.extend(tagging.criteria.iter().map(|first_of| (tagging, *first_of)));
    }
    None
}

fn calendar(
    spec: &super::TaggingSpec,
    intervals: &[RepeatingInterval],
    zone: &TimeZone,
    problems: &mut Vec<Problem>,
) -> Vec<Calendar> {
    let mut understood = Vec::new();
    for calendar in spec.calendar.iter().filter(|_| !spec.is_default) {
        match calendar.understand(intervals, zone) {
            Ok(calendar) => understood.push(calendar),
            Err(faults) => {
                let told = |fault| invalid(TAGGING, format!("tag {}: {fault}", spec.tag));
                problems.extend(faults.into_iter().map(told));
            }
        }
    }
    understood
}

fn criteria(spec: &super::TaggingSpec, problems: &mut Vec<Problem>) -> Vec<FirstOf> {
    if spec.is_default {
        return vec![FirstOf::AllBackup];
    }
    if spec.absolute_criteria.is_empty() && spec.calendar.is_empty() {
        problems.push(invalid(
            TAGGING,
            format!(
                "tag {} has no criteria, so no backup would get it",
                spec.tag
            ),
        ));
    }
    let mut criteria = Vec::new();
    for text in &spec.absolute_criteria {
        match FirstOf::from_str(text) {
            Ok(first_of) => criteria.push(first_of),
            Err(e) => problems.push(invalid(TAGGING, format!("tag {}: {e}", spec.tag))),
        }
    }
    criteria
}
