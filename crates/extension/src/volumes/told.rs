//! What is told of claims and groups: records for the recovery point, lines for the report. Pure.

use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::volumes::Verdict;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::snapshots::group;

use super::Weighed;
use super::gather::Singly;
use super::group_wish::GroupWish;
use crate::limits::GROUP_MEMBERS_NAMED;
use crate::point::volumes::{SnapshotRecord, VolumeRecord, Without};

/// A line for each group, and for each place where none was possible.
pub(super) fn told_of_groups(
    weighed: &[Weighed],
    outcomes: &[Result<SnapshotRecord, Without>],
    groups: &[GroupWish],
    singly: &[Singly],
) -> Vec<ObjectOutcome> {
    let mut lines = Vec::new();
    for wish in groups {
        let object = group_named(&wish.namespace, &wish.name);
        if let Some(reason) = &wish.failed {
            let reason = format!(
                "the volumes of driver {} were snapshotted one by one and not at one instant, because the group snapshot by class {} failed: {reason}",
                wish.driver, wish.class
            );
            let line = ObjectOutcome::new(object, Outcome::Failed, reason);
            lines.push(line.with_code(Code::VolumeGroupSnapshotFailed));
            continue;
        }
        let members = weighed.iter().zip(outcomes).filter(|(_, outcome)| {
            let record = outcome.as_ref().ok();
            let of = record.and_then(|record| record.group.as_ref());
            of.is_some_and(|of| of.name == wish.name)
        });
        let members: Vec<&str> = members
            .map(|(one, _)| one.held.facts.name.as_str())
            .collect();
        if members.is_empty() {
            continue;
        }
        let cut = wish.cut.map(|cut| format!(", {cut}")).unwrap_or_default();
        let reason = format!(
            "{} volumes of driver {} were snapshotted at one instant{cut}, by class {} ({}): {}",
            members.len(),
            wish.driver,
            wish.class,
            wish.why,
            named(&members)
        );
        lines.push(ObjectOutcome::new(object, Outcome::BackedUp, reason));
    }
    for one in singly {
        let reason = format!(
            "the volumes of driver {} are snapshotted one by one: {}",
            one.driver, one.reason
        );
        let object = group_named(&one.namespace, "*");
        lines.push(ObjectOutcome::new(object, Outcome::Skipped, reason));
    }
    lines
}

/// A group by the name that reports have for it.
fn group_named(namespace: &str, name: &str) -> ObjectRef {
    let kind = ResourceType::new(
        group::GROUP,
        "v1",
        "VolumeGroupSnapshot",
        "volumegroupsnapshots",
        true,
    );
    ObjectRef::new(&kind, Some(namespace), name)
}

/// The first few members, and how many more there are.
fn named(members: &[&str]) -> String {
    let first = members.iter().take(GROUP_MEMBERS_NAMED).copied();
    let first = first.collect::<Vec<_>>().join(", ");
    match members.len().saturating_sub(GROUP_MEMBERS_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The record of a claim, and its line.
pub(super) fn told(
    one: &Weighed,
    outcome: Result<SnapshotRecord, Without>,
) -> (VolumeRecord, ObjectOutcome) {
    let mut record = one.record();
    let mut line = one.held.line();
    match outcome {
        Ok(snapshot) => {
            let why = match &one.verdict {
                Verdict::Snapshot { reason, .. } => reason,
                Verdict::Without { .. } => "",
            };
            let size = match snapshot.restore_size {
                0 => String::new(),
                bytes => format!(" of {bytes} bytes"),
            };
            let way = match &snapshot.group {
                Some(group) => format!(
                    "at one instant with the others of group {}, by class {}",
                    group.name, group.class
                ),
                None => format!("by class {} ({why})", snapshot.class),
            };
            line.reason = format!(
                "{}; a volume snapshot{size} was taken {way}: {}",
                line.reason, snapshot.handle
            );
            record.snapshot = Some(snapshot);
        }
        Err(without) => {
            line.reason = format!(
                "the claim is backed up, the volume's data is not: {}",
                without.reason
            );
            line.code = Some(without.code.clone()).filter(|code| !code.is_empty());
            record.without = Some(without);
        }
    }
    (record, line)
}

/// The line that a preview has of a claim.
pub(crate) fn foretold(one: &Weighed) -> ObjectOutcome {
    let mut line = one.held.line();
    line.outcome = Outcome::BackedUp;
    match &one.verdict {
        Verdict::Snapshot { class, reason } => {
            line.reason = format!(
                "{}; a volume snapshot would be taken by class {class} ({reason})",
                line.reason
            );
            line
        }
        Verdict::Without { code, reason } => {
            line.reason = format!("the volume's data would not be backed up: {reason}");
            line.code = code.map(|code| code.as_str().to_owned());
            line
        }
    }
}
