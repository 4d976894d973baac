//! The order in which the entries of a recovery point are restored, as one line of positions.
//!
//! The order follows from the recovery point alone, so a position means the same entry to every
//! attempt at every restore from it.

use strongroom_core::restore::order::{self, Wave};
use strongroom_core::{Code, ResourceType};
use strongroom_repository::Point;

use crate::job::JobFailure;
use crate::point::RunHeader;

/// The entries of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The type, in the version that was stored.
    pub(super) resource: ResourceType,
    /// The run's name in the recovery point.
    pub(super) group: String,
    /// When it is applied.
    pub(super) wave: Wave,
    /// The position of its first entry.
    pub(super) first: u64,
    /// How many entries it has.
    pub(super) entries: u64,
}

impl Run {
    /// The position behind its last entry.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries
    }
}

/// All runs in the order of the restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) runs: Vec<Run>,
}

impl Sequence {
    /// The sequence of a recovery point.
    pub(super) fn of(point: &Point) -> Result<Self, JobFailure> {
        let mut runs = Vec::with_capacity(point.runs().len());
        for run in point.runs() {
            let header: RunHeader =
                serde_json::from_value(run.header.clone()).map_err(|error| {
                    let message =
                        format!("the header of run {} is not understood: {error}", run.group);
                    JobFailure::new(Code::RecoveryPointCorrupt, message)
                })?;
            // Records beside the objects are no objects.
            if header.about.is_none() {
                runs.push((header.resource, run.group.clone(), run.entries));
            }
        }
        Ok(Self::arrange(runs))
    }

    fn arrange(runs: Vec<(ResourceType, String, u64)>) -> Self {
        let mut runs: Vec<Run> = runs
            .into_iter()
            .map(|(resource, group, entries)| {
                let wave = order::wave(&resource);
                Run {
                    resource,
                    group,
                    wave,
                    first: 0,
                    entries,
                }
            })
            .collect();
        runs.sort_by(|a, b| (a.wave, &a.group).cmp(&(b.wave, &b.group)));
        let mut position = 0;
        for run in &mut runs {
            run.first = position;
            position = run.end();
        }
        Self { runs }
    }

    /// How many entries there are.
    pub(super) fn total(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// The run of a type, in whatever version.
    pub(super) fn run_of(&self, group: &str, kind: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.resource.is(group, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_ordered_by_wave_and_positions_follow_each_other() {
        let run = |group: &str, kind: &str, plural: &str, entries| {
            let resource = ResourceType::new(group, "v1", kind, plural, true);
            let name = resource.resource();
            (resource, name, entries)
        };
        let sequence = Sequence::arrange(vec![
            run("", "ConfigMap", "configmaps", 3),
            run("apps", "Deployment", "deployments", 2),
            run("", "Namespace", "namespaces", 1),
        ]);
        let order: Vec<(&str, u64, u64)> = sequence
            .runs
            .iter()
            .map(|run| (run.group.as_str(), run.first, run.end()))
            .collect();
        assert_eq!(
            order,
            [
                ("namespaces", 0, 1),
                ("configmaps", 1, 4),
                ("deployments.apps", 4, 6)
            ]
        );
        assert_eq!(sequence.total(), 6);
    }
}
