//! Goes through a recovery point in the order of the restore and sends off what is taken, with what is
//! known to exist under its name.
//!
//! Looks ahead while what was sent off before is in flight. It waits only where the order says so, at
//! the end of a wave, for the journal, and when too many lines wait to be told.

use futures::StreamExt as _;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::mapping;
use strongroom_core::restore::order::CONSTRAINTS;
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectFacts};
use strongroom_kubernetes::crd::RestoreMode;
use strongroom_repository::Entry;
use tokio::sync::{mpsc, watch};

use super::aggregated::Way;
use super::apply::Applier;
use super::fly::{Task, Work};
use super::item::Item;
use super::needed;
use super::observe::{Cursor, Existing};
use super::sequence::Run;
use crate::job::JobFailure;
use crate::limits::{JOURNAL_AHEAD, LOOKUPS_BEFORE_LIST, RESTORE_LOOKAHEAD, RESTORE_OUTSTANDING};
use crate::point::{EntryFacts, object_of};
use crate::reporting::line_on_type;

/// An entry that the selection takes.
#[derive(Debug)]
struct Chosen<'a> {
    position: u64,
    run: &'a Run,
    entry: Entry,
}

/// Sends entries off.
pub(super) struct Feed<'w, 'a> {
    pub(super) applier: &'w Applier<'a>,
    /// Entries before this position are told already.
    pub(super) done_before: u64,
    /// Entries before this position may have been written by an earlier attempt.
    pub(super) in_doubt_before: u64,
    pub(super) work: mpsc::Sender<Work<'a>>,
    pub(super) wanted: watch::Sender<u64>,
    pub(super) granted: watch::Receiver<u64>,
    pub(super) handled: watch::Receiver<u64>,
    pub(super) told: watch::Receiver<u64>,
    pub(super) cursor: Option<Cursor>,
    /// Whether objects of a run can be made, and which run that is.
    pub(super) way: Option<(&'a Run, Way)>,
    /// How many were sent off.
    pub(super) sent: u64,
}

impl<'a> Feed<'_, 'a> {
    /// Sends everything off.
    pub(super) async fn run(mut self) -> Result<(), JobFailure> {
        let opened = self.applier.opened;
        let mut finished = false;
        for wave in opened.sequence.runs.chunk_by(|a, b| a.wave == b.wave) {
            let constrains = wave.first().filter(|run| run.wave >= CONSTRAINTS);
            if let Some(run) = constrains.filter(|_| !finished) {
                self.finish_namespaces(run.first).await?;
                finished = true;
            }
            for run in wave {
                self.run_of_type(run).await?;
            }
            self.all_handled().await;
        }
        if !finished {
            self.finish_namespaces(opened.sequence.total()).await?;
        }
        Ok(())
    }

    /// Namespaces enforce what they enforce from this position on: all that they could refuse is there.
    async fn finish_namespaces(&mut self, position: u64) -> Result<(), JobFailure> {
        if self.applier.spec.mode == RestoreMode::Validate {
            return Ok(());
        }
        // Told with the entry before, so that another attempt begins with the one at the position.
        let position = position.max(self.done_before).saturating_sub(1);
        for line in super::namespaces::finish(self.applier).await? {
            self.send(Task::Tell(position, line), Vec::new()).await?;
        }
        Ok(())
    }

    async fn run_of_type(&mut self, run: &'a Run) -> Result<(), JobFailure> {
        let applier = self.applier;
        if run.end() <= self.done_before {
            return Ok(());
        }
        if !applier.opened.selector.decide_type(&run.resource).included {
            let progress = &applier.attempt.progress;
            progress.add_outside(run.end() - run.first.max(self.done_before));
            return Ok(());
        }
        let mut entries = applier.point.entries(&run.group);
        let mut position = run.first;
        let mut chosen = Vec::new();
        while let Some(entry) = entries.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.is_corrupt() => {
                    self.send_off(std::mem::take(&mut chosen)).await?;
                    return self.send_damaged(run, position, error.to_string()).await;
                }
                Err(error) => return Err(error.into()),
            };
            position += 1;
            if position <= self.done_before {
                continue;
            }
            if takes(applier, run, &entry).await? {
                let position = position - 1;
                chosen.push(Chosen {
                    position,
                    run,
                    entry,
                });
            } else {
                applier.attempt.progress.add_outside(1);
            }
            if chosen.len() >= RESTORE_LOOKAHEAD {
                self.send_off(std::mem::take(&mut chosen)).await?;
            }
        }
        self.send_off(chosen).await
    }

    /// A part of the catalogue that cannot be read is told in the place of what it would name.
    async fn send_damaged(
        &mut self,
        run: &'a Run,
        position: u64,
        reason: String,
    ) -> Result<(), JobFailure> {
        if position < self.done_before {
            return Ok(());
        }
        let line = line_on_type(&run.resource, Outcome::Failed, reason);
        let line = line.with_code(Code::RecoveryPointCorrupt);
        self.send(Task::Tell(position, line), Vec::new()).await
    }

    /// Finds out what can be known of entries of one type, and sends them off.
    async fn send_off(&mut self, chosen: Vec<Chosen<'a>>) -> Result<(), JobFailure> {
        let place = |one: &Chosen<'_>| object_of(&one.run.resource, &one.entry.name).namespace;
        let mut rest = chosen.into_iter().peekable();
        while let Some(first) = rest.peek() {
            let (source, run) = (place(first), first.run);
            let mut group = Vec::new();
            while let Some(one) = rest.next_if(|one| place(one) == source) {
                group.push(one);
            }
            self.send_group(run, source.as_deref(), group).await?;
        }
        Ok(())
    }

    async fn send_group(
        &mut self,
        run: &'a Run,
        source: Option<&str>,
        group: Vec<Chosen<'a>>,
    ) -> Result<(), JobFailure> {
        let applier = self.applier;
        let (mut blocked, awaits) = match self.way(run).await? {
            Way::Open => (None, None),
            Way::Later(why) => (None, Some(why)),
            Way::Closed(code, reason) => (Some((code, reason)), None),
        };
        let mut made = false;
        let mut before = Vec::new();
        if let (Some(source), None) = (source, &blocked) {
            let sequence = &applier.opened.sequence;
            let ensured = applier.namespaces.ensure(applier, sequence, source);
            let (known, line) = ensured.await?;
            before.extend(line);
            match known {
                Ok(by_us) => made = by_us,
                Err(why) => blocked = Some(why),
            }
        }
        if applier.spec.mode == RestoreMode::Apply {
            let environment = &applier.attempt.environment;
            let rest = applier
                .target
                .rest(&run.resource, tokio::time::Instant::now());
            tokio::time::sleep(rest.min(environment.namespace_gone_wait)).await;
        }
        let together = group.len();
        let pointless = made || blocked.is_some() || awaits.is_some();
        self.list_when_worthwhile(run, source, together, pointless);
        for one in group {
            let existing = if pointless || self.is_new_type(run) {
                Existing::No
            } else {
                self.existing(&one, source).await?
            };
            let item = Item {
                position: one.position,
                resource: &run.resource,
                entry: one.entry,
                existing,
                namespace_made: made,
                in_doubt: one.position < self.in_doubt_before,
                blocked: blocked.clone(),
                awaits: awaits.clone(),
                last: false,
                owners_came: false,
            };
            self.send(Task::Handle(item), std::mem::take(&mut before))
                .await?;
        }
        Ok(())
    }

    /// Whether objects of a type can be restored here. One answer for all of a run.
    async fn way(&mut self, run: &'a Run) -> Result<Way, JobFailure> {
        if let Some((known, way)) = &self.way
            && known.first == run.first
        {
            return Ok(way.clone());
        }
        let way = self.applier.way(&run.resource, false).await?;
        self.way = Some((run, way.clone()));
        Ok(way)
    }

    /// Whether a type is one that a validation found will be made.
    fn is_new_type(&self, run: &Run) -> bool {
        self.applier.spec.mode == RestoreMode::Validate
            && !self.applier.target.is_served(&run.resource)
    }

    /// Begins to list a type where several of its objects go.
    fn list_when_worthwhile(
        &mut self,
        run: &Run,
        source: Option<&str>,
        together: usize,
        pointless: bool,
    ) {
        let resource = &run.resource;
        if pointless || resource.is("", "Namespace") || self.is_new_type(run) {
            return;
        }
        let mappings = &self.applier.spec.criteria.namespace_mappings;
        let namespace = source.map(|source| mapping::target(source, mappings));
        let cursor = self.cursor.as_ref();
        if !cursor.is_some_and(|cursor| cursor.is_of(resource, namespace)) {
            let cluster = &self.applier.target.cluster;
            self.cursor = (together >= LOOKUPS_BEFORE_LIST)
                .then(|| Cursor::start(cluster, resource, namespace));
        }
        if let Some(cursor) = &mut self.cursor {
            cursor.allow(together);
        }
    }

    async fn existing(
        &mut self,
        one: &Chosen<'_>,
        source: Option<&str>,
    ) -> Result<Existing, JobFailure> {
        let mappings = &self.applier.spec.criteria.namespace_mappings;
        let resource = &one.run.resource;
        let name = object_of(resource, &one.entry.name).name;
        if resource.is("", "Namespace") {
            let target = mapping::target(&name, mappings);
            return Ok(self.applier.namespaces.existing(target));
        }
        let namespace = source.map(|source| mapping::target(source, mappings));
        let key = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
        match &mut self.cursor {
            Some(cursor) if cursor.is_of(resource, namespace) => cursor.seek(&key).await,
            _ => Ok(Existing::Unknown),
        }
    }

    /// Sends one entry off, once the journal covers it and not too many lines wait.
    async fn send(&mut self, task: Task<'a>, before: Vec<ObjectOutcome>) -> Result<(), JobFailure> {
        let position = task.position();
        if position + JOURNAL_AHEAD / 2 >= *self.granted.borrow() {
            let end = position + JOURNAL_AHEAD;
            self.wanted.send_if_modified(|wanted| {
                let more = end > *wanted && position + JOURNAL_AHEAD / 2 >= *wanted;
                if more {
                    *wanted = end;
                }
                more
            });
        }
        reach(&mut self.granted, position + 1).await;
        reach(
            &mut self.told,
            (self.sent + 1).saturating_sub(RESTORE_OUTSTANDING),
        )
        .await;
        let number = self.sent;
        self.sent += 1;
        let work = Work {
            number,
            task,
            before,
        };
        // Nobody takes it any more only when the restore has failed already.
        let _ = self.work.send(work).await;
        Ok(())
    }

    /// Waits until all that was sent off has been handled.
    async fn all_handled(&mut self) {
        reach(&mut self.handled, self.sent).await;
    }
}

/// Waits until a count reaches a number.
async fn reach(count: &mut watch::Receiver<u64>, number: u64) {
    if count.wait_for(|now| *now >= number).await.is_err() {
        // Who counts has failed, and its failure ends this too.
        std::future::pending::<()>().await;
    }
}

/// Whether the criteria take an entry. A namespace that is only carried along comes when the first of
/// its objects does.
pub(super) async fn takes(
    applier: &Applier<'_>,
    run: &Run,
    entry: &Entry,
) -> Result<bool, JobFailure> {
    let kept: EntryFacts = serde_json::from_slice(&entry.meta).unwrap_or_default();
    let facts = match kept.facts(&run.resource, &entry.name) {
        Some(facts) => facts,
        None => match applier.point.read(entry).await {
            Ok(body) => {
                let value = serde_json::from_slice(&body).unwrap_or_default();
                ObjectFacts::of(&run.resource, &value)
            }
            // It is taken, so that its line says what is wrong with it.
            Err(error) if error.is_corrupt() => return Ok(true),
            Err(error) => return Err(error.into()),
        },
    };
    let decision = applier.opened.selector.decide(&run.resource, &facts);
    if decision.rule == Rule::NotNeeded {
        let needs = &applier.opened.needs;
        return needed::is_needed(applier.point, needs, run, entry, &facts).await;
    }
    Ok(decision.included && decision.rule != Rule::NamespaceCarried)
}
