//! Goes through a recovery point in the order of the restore, batch by batch.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::mapping;
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectFacts};
use strongroom_kubernetes::crd::{RestoreMode, RestoreSpec};
use strongroom_repository::Entry;

use super::apply::{Applier, Item};
use super::batch::{Batch, Chosen};
use super::journal::Journal;
use super::namespaces::Namespaces;
use super::observe::{Cursor, Existing};
use super::open::Opened;
use super::owners::Owners;
use super::planned::{PlanDigest, Planned};
use super::sequence::Run;
use super::target::Target;
use crate::crash::Moment;
use crate::job::{Attempt, JobFailure, Step};
use crate::limits::{
    APPLIES_IN_FLIGHT, DISCOVERY_PAUSE, DISCOVERY_WAIT, LOOKUPS_BEFORE_LIST, REPORT_PAGE,
};
use crate::point::{EntryFacts, object_of};
use crate::reporting::{Report, line_on_type};

/// One walk through a recovery point.
pub(super) struct Walk<'a> {
    attempt: &'a Attempt,
    spec: &'a RestoreSpec,
    pub(super) opened: &'a Opened,
    pub(super) applier: Applier<'a>,
    namespaces: Namespaces,
    journal: Journal,
    planned: Option<Planned>,
    digest: PlanDigest,
    cursor: Option<Cursor>,
    /// CRDs that this walk made or would make, by name (`plural.group`). As many as the recovery
    /// point has, which do not grow with its objects.
    new_types: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        attempt: &'a Attempt,
        spec: &'a RestoreSpec,
        opened: &'a Opened,
        target: Target,
        journal: Journal,
    ) -> Self {
        let (_, lines) = journal.report_before();
        let digest = spec
            .plan_digest
            .as_deref()
            .filter(|_| spec.mode == RestoreMode::Apply);
        // What an earlier attempt has compared is passed over, but for the look-ahead.
        let skip = lines.saturating_sub(REPORT_PAGE as u64);
        let applier = Applier {
            attempt,
            spec,
            point: &opened.point,
            target,
            owners: Owners::default(),
            // An earlier attempt does not say whether it missed one.
            owners_missing: AtomicBool::new(attempt.number > 1),
        };
        Self {
            attempt,
            spec,
            opened,
            applier,
            namespaces: Namespaces::default(),
            journal,
            planned: Planned::open(&opened.repository, digest, skip),
            digest: PlanDigest::default(),
            cursor: None,
            new_types: BTreeSet::new(),
        }
    }

    /// The digest of the plan that was walked.
    pub(super) fn plan_digest(&self) -> String {
        self.digest.text(self.attempt.job, self.attempt.number)
    }

    /// Takes over the report of the attempt before, then goes on behind it.
    pub(super) async fn resume_and_run(
        &mut self,
        report: &mut Report<'_>,
    ) -> Result<(), JobFailure> {
        let reported = self.journal.reported_before();
        let (attempt, lines) = self.journal.report_before();
        let mut next = 0;
        while next < lines {
            let take = (lines - next).min(REPORT_PAGE as u64);
            let page = self
                .opened
                .repository
                .read_report(self.attempt.job, attempt, next, take)
                .await?;
            for line in &page.lines {
                let line: ObjectOutcome = serde_json::from_slice(line).map_err(|error| {
                    let message = format!("the report of attempt {attempt}: {error}");
                    JobFailure::new(Code::InternalServerError, message)
                })?;
                report.add(line).await?;
            }
            if page.lines.is_empty() {
                let message = format!("the report of attempt {attempt} ends before line {lines}");
                return Err(JobFailure::new(Code::RecoveryPointCorrupt, message));
            }
            next += page.lines.len() as u64;
        }
        if reported > 0 {
            self.attempt
                .progress
                .add_outside(reported.saturating_sub(lines));
            report.flush().await?;
            self.journal
                .reported(self.attempt, reported, report.lines());
            self.journal.write(self.attempt).await?;
        }
        self.run(report).await
    }

    /// Walks.
    pub(super) async fn run(&mut self, report: &mut Report<'_>) -> Result<(), JobFailure> {
        let opened = self.opened;
        self.attempt.progress.set_total(opened.sequence.total());
        let mut batch = Batch::default();
        for wave in opened.sequence.runs.chunk_by(|a, b| a.wave == b.wave) {
            for run in wave {
                self.walk_run(run, &mut batch, report).await?;
            }
            let end = wave.last().map_or(0, Run::end);
            self.finish_batch(&mut batch, end, report).await?;
            let made_types = wave
                .iter()
                .any(|run| run.resource.kind == "CustomResourceDefinition");
            if made_types && self.spec.mode == RestoreMode::Apply {
                self.await_new_types().await?;
            }
        }
        if self.spec.mode == RestoreMode::Apply {
            self.journal.write(self.attempt).await?;
        }
        Ok(())
    }

    async fn walk_run(
        &mut self,
        run: &'a Run,
        batch: &mut Batch<'a>,
        report: &mut Report<'_>,
    ) -> Result<(), JobFailure> {
        let done = self.journal.reported_before();
        if run.end() <= done {
            return Ok(());
        }
        if !self.opened.selector.decide_type(&run.resource).included {
            self.attempt
                .progress
                .add_outside(run.end() - run.first.max(done));
            return Ok(());
        }
        let mut entries = self.opened.point.entries(&run.group);
        let mut position = run.first;
        while let Some(entry) = entries.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.is_corrupt() => {
                    self.finish_batch(batch, position, report).await?;
                    let line = line_on_type(&run.resource, Outcome::Failed, error.to_string());
                    return self
                        .report(line.with_code(Code::RecoveryPointCorrupt), report)
                        .await;
                }
                Err(error) => return Err(error.into()),
            };
            position += 1;
            if position <= done {
                continue;
            }
            if self.takes(run, &entry).await? {
                batch.push(Chosen {
                    position: position - 1,
                    run,
                    entry,
                });
            } else {
                self.attempt.progress.add_outside(1);
            }
            if batch.is_full() {
                self.finish_batch(batch, position, report).await?;
            }
        }
        Ok(())
    }

    /// Whether the criteria take an entry. A namespace that is only carried along comes when the
    /// first of its objects does.
    pub(super) async fn takes(&self, run: &Run, entry: &Entry) -> Result<bool, JobFailure> {
        let kept: EntryFacts = serde_json::from_slice(&entry.meta).unwrap_or_default();
        let facts = match kept.facts(&run.resource, &entry.name) {
            Some(facts) => facts,
            None => match self.opened.point.read(entry).await {
                Ok(body) => {
                    let value = serde_json::from_slice(&body).unwrap_or_default();
                    ObjectFacts::of(&run.resource, &value)
                }
                // It is taken, so that its line says what is wrong with it.
                Err(error) if error.is_corrupt() => return Ok(true),
                Err(error) => return Err(error.into()),
            },
        };
        let decision = self.opened.selector.decide(&run.resource, &facts);
        Ok(decision.included && decision.rule != Rule::NamespaceCarried)
    }

    /// Handles a batch and makes its outcomes durable.
    async fn finish_batch(
        &mut self,
        batch: &mut Batch<'a>,
        end: u64,
        report: &mut Report<'_>,
    ) -> Result<(), JobFailure> {
        let chosen = batch.take();
        if chosen.is_empty() {
            return Ok(());
        }
        let applying = self.spec.mode == RestoreMode::Apply;
        if applying {
            self.journal.intend(self.attempt, end).await?;
        }
        let (items, mut lines) = self.observe(chosen).await?;
        let applier = &self.applier;
        let handling: Vec<_> = items
            .into_iter()
            .map(|item| handle(applier, item))
            .collect();
        let handled: Vec<_> = stream::iter(handling)
            .buffer_unordered(APPLIES_IN_FLIGHT)
            .try_collect()
            .await?;
        lines.extend(handled);
        lines.sort_by_key(|(position, order, _)| (*position, *order));
        if applying {
            self.attempt.reach(Step::Apply, Moment::During).await;
        }
        for (_, _, line) in lines {
            self.report(line, report).await?;
        }
        if applying {
            report.flush().await?;
            self.journal.reported(self.attempt, end, report.lines());
        }
        Ok(())
    }

    async fn report(
        &mut self,
        mut line: ObjectOutcome,
        report: &mut Report<'_>,
    ) -> Result<(), JobFailure> {
        self.namespaces.note(&line);
        let made = matches!(
            line.outcome,
            Outcome::Created | Outcome::Patched | Outcome::Unchanged
        );
        if made && line.object.kind == "CustomResourceDefinition" {
            self.new_types.insert(line.object.name.clone());
        }
        if let Some(planned) = &mut self.planned {
            planned.compare(&mut line).await?;
        }
        self.digest.add(&line);
        report.add(line).await
    }

    /// Finds out what can be known of the objects of a batch before they are handled. The lines are
    /// those of namespaces that had to be made, to stand before the first object in them.
    async fn observe(
        &mut self,
        chosen: Vec<Chosen<'a>>,
    ) -> Result<(Vec<Item<'a>>, Vec<(u64, u8, ObjectOutcome)>), JobFailure> {
        let mut lines = Vec::new();
        let mut items = Vec::with_capacity(chosen.len());
        let place = |one: &Chosen<'_>| object_of(&one.run.resource, &one.entry.name).namespace;
        for group in chosen.chunk_by(|a, b| a.run.first == b.run.first && place(a) == place(b)) {
            let Some(first) = group.first() else { continue };
            let source = place(first);
            let mut blocked = self.blocked(first.run);
            let mut made = false;
            if let (Some(source), None) = (&source, &blocked) {
                let sequence = &self.opened.sequence;
                let (known, line) = self
                    .namespaces
                    .ensure(&self.applier, sequence, source)
                    .await?;
                lines.extend(line.map(|line| (first.position, 0_u8, line)));
                match known {
                    Ok(by_us) => made = by_us,
                    Err(why) => blocked = Some(why),
                }
            }
            for one in group {
                let existing = if blocked.is_some() || made || self.is_new_type(one.run) {
                    Existing::No
                } else {
                    self.existing(one, source.as_deref(), group.len()).await?
                };
                items.push(Item {
                    position: one.position,
                    resource: &one.run.resource,
                    entry: one.entry.clone(),
                    existing,
                    namespace_made: made,
                    in_doubt: self.journal.is_in_doubt(one.position),
                    blocked: blocked.clone(),
                });
            }
        }
        Ok((items, lines))
    }

    /// Why no object of a type can be restored here.
    fn blocked(&self, run: &Run) -> Option<(Code, String)> {
        if self.is_new_type(run) {
            return None;
        }
        self.applier
            .target
            .check(&run.resource)
            .err()
            .map(|why| (why.code, why.reason))
    }

    /// Whether a type is one that a validation found will be made.
    fn is_new_type(&self, run: &Run) -> bool {
        self.spec.mode == RestoreMode::Validate
            && self.new_types.contains(&run.group)
            && self.applier.target.check(&run.resource).is_err()
    }

    async fn existing(
        &mut self,
        one: &Chosen<'_>,
        source: Option<&str>,
        together: usize,
    ) -> Result<Existing, JobFailure> {
        let mappings = &self.spec.criteria.namespace_mappings;
        let namespace = source.map(|source| mapping::target(source, mappings));
        let resource = &one.run.resource;
        let listing = self
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.is_of(resource, namespace));
        // Names of mapped namespaces do not come in the order of the entries.
        if (!listing && together < LOOKUPS_BEFORE_LIST) || resource.is("", "Namespace") {
            return Ok(Existing::Unknown);
        }
        if !listing {
            let cluster = &self.applier.target.cluster;
            self.cursor = Some(Cursor::start(cluster, resource, namespace));
        }
        let name = object_of(resource, &one.entry.name).name;
        let key = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
        match &mut self.cursor {
            Some(cursor) => cursor.seek(&key).await,
            None => Ok(Existing::Unknown),
        }
    }

    /// Waits until types that were just defined are served, within a limit.
    async fn await_new_types(&mut self) -> Result<(), JobFailure> {
        let clock = &self.attempt.environment.clock;
        let began = clock.now();
        loop {
            self.applier.target.discover_again().await?;
            let mut runs = self.opened.sequence.runs.iter();
            let all = !runs.any(|run| {
                self.new_types.contains(&run.group)
                    && self.applier.target.check(&run.resource).is_err()
            });
            let waited = clock.now().duration_since(began);
            if all || waited.unsigned_abs() >= DISCOVERY_WAIT {
                return Ok(());
            }
            tokio::time::sleep(DISCOVERY_PAUSE).await;
        }
    }

    /// Whether some owner was not there when what it owns was created.
    pub(super) fn owners_missing(&self) -> bool {
        self.applier.owners_missing.load(Ordering::Relaxed)
    }
}

/// Handles an entry; its line goes behind that of a namespace that was made for it.
async fn handle(
    applier: &Applier<'_>,
    item: Item<'_>,
) -> Result<(u64, u8, ObjectOutcome), JobFailure> {
    applier
        .handle(&item)
        .await
        .map(|line| (item.position, 1, line))
}
