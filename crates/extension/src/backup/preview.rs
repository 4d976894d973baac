//! A preview: what a backup would take, counted, and nothing else.
//!
//! discover → plan → collect → snapshot, by the very code of a backup, into a sink that counts. No report: the
//! answer is in the status. An attempt that dies is simply begun again. One that has secrets tries the store
//! that they lead to before it counts, and says what is wrong with it in a finding.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_core::limits::{PREVIEW_FINDINGS_MAX, PREVIEW_RULES_MAX, PREVIEW_TYPES_MAX};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::{Rule, Selection};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::collect::Whole;
use strongroom_kubernetes::crd::{
    BackupPreview, BackupSpec, LeftByRule, PreviewFinding, PreviewedType, STORAGE_LOCATION,
};

use super::sink::Sink;
use super::{collect, discover, plan, probe};
use crate::job::{Attempt, Done, JobFailure, Step};
use crate::volumes;

/// The longest text of a finding: a person reads a few lines, and etcd keeps 1.5 MiB.
const FINDING_CHARS: usize = 1_000;

/// Carries out one attempt at a preview.
///
/// # Errors
/// See [`JobFailure`].
pub async fn preview(attempt: &Attempt, spec: &BackupSpec) -> Result<Done, JobFailure> {
    let refused = if spec.sealed.is_empty() {
        None
    } else {
        let trying = probe::try_store(attempt, &spec.sealed);
        attempt.step(Step::Open, trying).await?
    };
    let found = attempt
        .step(Step::Discover, discover::discover(attempt))
        .await?;
    let plan = attempt
        .step(Step::Plan, async { plan::plan(spec, &found) })
        .await?;
    let mut sink = Counting {
        attempt,
        counts: Counts::of(&spec.selection),
    };
    if let Some(problem) = refused {
        let code = problem.code.as_str();
        let place = STORAGE_LOCATION.to_owned();
        sink.counts.find(code, place, &problem.message);
    }
    let collecting = collect::collect_into(attempt, spec, &plan, &mut sink);
    let (cut, claims) = attempt.step(Step::Collect, collecting).await?;
    let served = found.serves_snapshots();
    let weighing = volumes::weigh(attempt, spec, served, claims);
    let (weighed, _) = attempt.step(Step::Snapshot, weighing).await?;
    for one in &weighed {
        sink.report(volumes::foretold(one)).await?;
    }
    Ok(Done {
        cut: Some(cut.to_string()),
        preview: Some(sink.counts.ended()),
        ..Done::default()
    })
}

/// Takes everything and keeps nothing of it but numbers.
struct Counting<'a> {
    attempt: &'a Attempt,
    counts: Counts<'a>,
}

impl Sink for Counting<'_> {
    async fn start_run(&mut self, _: String, _: Value) -> Result<(), JobFailure> {
        Ok(())
    }

    fn turn_to(&mut self, _: &str) -> Result<(), JobFailure> {
        Ok(())
    }

    async fn put(&mut self, _: String, _: Vec<u8>, _: Whole) -> Result<(), JobFailure> {
        Ok(())
    }

    async fn finish_run(&mut self) -> Result<(), JobFailure> {
        Ok(())
    }

    async fn report(&mut self, line: ObjectOutcome) -> Result<(), JobFailure> {
        self.counts.add(&line);
        self.attempt.progress.add(&line);
        Ok(())
    }

    fn outside(&mut self, resource: &ResourceType, rule: Rule) {
        self.counts.add_outside(resource, rule);
    }

    fn new_bytes(&self) -> u64 {
        0
    }
}

/// What was counted. Its memory is that of the types that a cluster serves.
struct Counts<'a> {
    selection: &'a Selection,
    types: BTreeMap<(String, String), Counted>,
    findings: Vec<PreviewFinding>,
    left_off: u64,
    /// Excluded namespaces that exist.
    seen_excluded: BTreeSet<String>,
    /// Objects taken for their own sake.
    taken: u64,
    /// Objects that are left only because of their labels.
    labels_differ: u64,
}

/// What was counted of one type.
#[derive(Default)]
struct Counted {
    taken: u64,
    bytes: u64,
    failed: u64,
    left: BTreeMap<String, u64>,
    not_read: Option<String>,
}

impl<'a> Counts<'a> {
    fn of(selection: &'a Selection) -> Self {
        Self {
            selection,
            types: BTreeMap::new(),
            findings: Vec::new(),
            left_off: 0,
            seen_excluded: BTreeSet::new(),
            taken: 0,
            labels_differ: 0,
        }
    }

    fn add(&mut self, line: &ObjectOutcome) {
        let object = &line.object;
        if let Some(code) = &line.code {
            self.find(code, object.to_string(), &line.reason);
            // Such a line speaks of words in the configuration, not of a type or an object.
            if [
                Code::ResourceTypeFilterMatchesNothing,
                Code::UserErrorNamespaceNotFound,
            ]
            .iter()
            .any(|known| known.as_str() == code)
            {
                return;
            }
        }
        let is_namespace = object.group.is_empty() && object.kind == "Namespace";
        if is_namespace && self.selection.excluded_namespaces.contains(&object.name) {
            self.seen_excluded.insert(object.name.clone());
        }
        let key = (object.group.clone(), object.kind.clone());
        let counted = self.types.entry(key).or_default();
        match line.outcome {
            Outcome::BackedUp => {
                counted.taken += 1;
                counted.bytes += line.bytes;
                let on_need = object.namespace.is_none()
                    && !is_namespace
                    && !self.selection.include_cluster_scope_resources;
                let carried = line.reason == Rule::NamespaceCarried.reason();
                self.taken += u64::from(!on_need && !carried);
            }
            Outcome::Skipped if object.name == "*" => {
                counted.not_read.get_or_insert_with(|| line.reason.clone());
            }
            Outcome::Skipped => {
                *counted.left.entry(line.reason.clone()).or_default() += 1;
                self.labels_differ += u64::from(line.reason == Rule::LabelsDiffer.reason());
            }
            _ => counted.failed += 1,
        }
    }

    fn add_outside(&mut self, resource: &ResourceType, rule: Rule) {
        let key = (resource.group.clone(), resource.kind.clone());
        let left = &mut self.types.entry(key).or_default().left;
        *left.entry(rule.reason().to_owned()).or_default() += 1;
    }

    fn find(&mut self, code: &str, object: String, message: &str) {
        if self.findings.len() >= PREVIEW_FINDINGS_MAX {
            self.left_off += 1;
            return;
        }
        self.findings.push(PreviewFinding {
            code: code.to_owned(),
            object: object.chars().take(FINDING_CHARS).collect(),
            message: message.chars().take(FINDING_CHARS).collect(),
        });
    }

    /// What only the whole tells: excluded namespaces that do not exist, and filters that leave nothing.
    fn look_at_the_whole(&mut self) {
        let excluded = self.selection.excluded_namespaces.iter();
        let absent: Vec<String> = excluded
            .filter(|name| !self.seen_excluded.contains(*name))
            .cloned()
            .collect();
        for name in absent {
            let message = "the configuration excludes this namespace, but it does not exist";
            let code = Code::UserErrorNamespaceNotFound.as_str();
            self.find(code, format!("Namespace {name}"), message);
        }
        if self.taken == 0 {
            let message = if self.labels_differ > 0 {
                "no object has the labels that the configuration asks for, so nothing would be taken"
            } else {
                "nothing would be taken"
            };
            let code = Code::SelectionTakesNothing.as_str();
            self.find(code, "the configuration".to_owned(), message);
        }
    }

    fn ended(mut self) -> BackupPreview {
        self.look_at_the_whole();
        let types_left_off = self.types.len().saturating_sub(PREVIEW_TYPES_MAX) as u64;
        let counted = |((group, kind), counted): ((String, String), Counted)| {
            let left = counted.left.into_iter().take(PREVIEW_RULES_MAX);
            PreviewedType {
                group,
                kind,
                taken: counted.taken,
                bytes: counted.bytes,
                failed: counted.failed,
                left: left
                    .map(|(reason, objects)| LeftByRule { reason, objects })
                    .collect(),
                not_read: counted.not_read,
            }
        };
        let types = self.types.into_iter().take(PREVIEW_TYPES_MAX);
        BackupPreview {
            types: types.map(counted).collect(),
            findings: self.findings,
            left_off: self.left_off + types_left_off,
        }
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::ObjectRef;

    use super::*;

    fn object(name: &str) -> ObjectRef {
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        ObjectRef::new(&maps, Some("shop"), name)
    }

    fn codes(preview: &BackupPreview) -> Vec<&str> {
        preview
            .findings
            .iter()
            .map(|one| one.code.as_str())
            .collect()
    }

    #[test]
    fn what_is_taken_left_and_failed_is_counted_by_type_and_rule() {
        let selection = Selection::default();
        let mut counts = Counts::of(&selection);
        let all = Rule::AllNamespaces.reason();
        counts.add(&ObjectOutcome::new(object("a"), Outcome::BackedUp, all).with_bytes(7));
        counts.add(&ObjectOutcome::new(object("b"), Outcome::Skipped, "a rule"));
        let failed = ObjectOutcome::new(object("c"), Outcome::Failed, "too large");
        counts.add(&failed.with_code(Code::ObjectTooLarge));
        counts.add_outside(
            &ResourceType::new("", "v1", "ConfigMap", "configmaps", true),
            Rule::NamespaceNotChosen,
        );
        let preview = counts.ended();
        let [maps] = preview.types.as_slice() else {
            panic!("{preview:?}")
        };
        assert_eq!((maps.taken, maps.bytes, maps.failed), (1, 7, 1));
        assert_eq!(maps.left.iter().map(|left| left.objects).sum::<u64>(), 2);
        assert_eq!(codes(&preview), ["ObjectTooLarge"]);
    }

    #[test]
    fn a_configuration_that_takes_nothing_but_a_carried_namespace_is_told() {
        let selection = Selection::default();
        let mut counts = Counts::of(&selection);
        let carried = Rule::NamespaceCarried.reason();
        counts.add(&ObjectOutcome::new(object("n"), Outcome::BackedUp, carried));
        let differ = Rule::LabelsDiffer.reason();
        counts.add(&ObjectOutcome::new(object("b"), Outcome::Skipped, differ));
        let preview = counts.ended();
        assert_eq!(codes(&preview), ["SelectionTakesNothing"]);
        assert!(preview.findings[0].message.contains("labels"));
    }

    #[test]
    fn an_excluded_namespace_that_does_not_exist_is_told() {
        let selection = Selection {
            excluded_namespaces: vec!["here".to_owned(), "gone".to_owned()],
            ..Selection::default()
        };
        let mut counts = Counts::of(&selection);
        let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
        let excluded = Rule::NamespaceExcluded.reason();
        let here = ObjectRef::new(&namespaces, None, "here");
        counts.add(&ObjectOutcome::new(here, Outcome::Skipped, excluded));
        let all = Rule::AllNamespaces.reason();
        counts.add(&ObjectOutcome::new(object("a"), Outcome::BackedUp, all));
        let preview = counts.ended();
        assert_eq!(codes(&preview), ["UserErrorNamespaceNotFound"]);
        assert_eq!(preview.findings[0].object, "Namespace gone");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let selection = Selection::default();
        let mut counts = Counts::of(&selection);
        for n in 0..PREVIEW_TYPES_MAX + 3 {
            let resource = ResourceType::new(&format!("g{n}"), "v1", "K", "ks", true);
            counts.add_outside(&resource, Rule::NamespaceExcluded);
        }
        for _ in 0..PREVIEW_FINDINGS_MAX {
            counts.find("Code", "object".to_owned(), "message");
        }
        let preview = counts.ended();
        assert_eq!(preview.types.len(), PREVIEW_TYPES_MAX);
        assert_eq!(preview.findings.len(), PREVIEW_FINDINGS_MAX);
        assert_eq!(
            preview.left_off, 4,
            "three types, and that nothing is taken"
        );
    }
}
