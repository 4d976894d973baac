//! The second pass: what could not be finished when it was met. Objects whose owners came later get
//! their owners; objects whose webhook or aggregated API did not answer are tried again, now that the
//! pods behind it may run; claims whose volume was being made are looked at, now that pods use them.
//!
//! The report of the attempt is copied to its final one, line by line, and the lines that were held are
//! replaced by their last word: one object, one line. Everything can be done again: an attempt that dies
//! here is followed by one that takes the held lines over and settles them anew.

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use strongroom_core::Code;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_repository::Entry;

use super::aggregated::Way;
use super::apply::Applier;
use super::item::{Held, Hold, Item, Told, WorkingLine};
use super::lines::created;
use super::observe::Existing;
use super::plan::{self, Desire};
use super::sequence::Run;
use super::teller::unwritable;
use crate::job::JobFailure;
use crate::limits::{
    APPLIES_IN_FLIGHT, REPORT_PAGE, SETTLED_REPORT, VOLUME_WAIT, WEBHOOK_PAUSE, WEBHOOK_WAIT,
};
use crate::reporting::Report;

/// A line on its way into the final report.
enum Line {
    /// It is final and counted.
    Final(Vec<u8>),
    /// It is replaced by what comes of the entry.
    Held(Box<ObjectOutcome>, Hold, Option<(usize, u64, Entry)>),
}

/// Entries of the runs, read on as held lines need them: both are in the order of the sequence.
struct Entries<'a> {
    applier: &'a Applier<'a>,
    /// The run that is read, its entries, and the position of the next.
    reading: Option<(
        usize,
        BoxStream<'static, strongroom_repository::Result<Entry>>,
        u64,
    )>,
}

impl<'a> Entries<'a> {
    fn runs(&self) -> &'a [Run] {
        &self.applier.opened.sequence.runs
    }

    /// The entry at a position; none when the catalogue is damaged there.
    async fn at(&mut self, position: u64) -> Result<Option<(usize, u64, Entry)>, JobFailure> {
        let holds = |run: &Run| run.first <= position && position < run.end();
        let Some(at) = self.runs().iter().position(holds) else {
            return Ok(None);
        };
        let fresh = !self
            .reading
            .as_ref()
            .is_some_and(|(run, _, next)| *run == at && *next <= position);
        if fresh && let Some(run) = self.runs().get(at) {
            let entries = self.applier.point.entries(&run.group);
            self.reading = Some((at, entries, run.first));
        }
        let Some((_, entries, next)) = &mut self.reading else {
            return Ok(None);
        };
        while let Some(entry) = entries.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.is_corrupt() => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            *next += 1;
            if *next > position {
                return Ok(Some((at, position, entry)));
            }
        }
        Ok(None)
    }
}

/// Settles all lines that are held in the report of an attempt. Returns the report in which none is, and
/// its number; none when nothing was held.
pub(super) async fn settle<'r>(
    applier: &'r Applier<'r>,
    mut lines: u64,
    mut held: HeldLines,
) -> Result<Option<(Report<'r>, u32)>, JobFailure> {
    let (attempt, repository) = (applier.attempt, &applier.opened.repository);
    let mut number = attempt.number;
    let mut settled = None;
    // What was out of reach first: it may own what waits for its owner.
    for why in [Hold::Backend, Hold::Owner, Hold::Volume] {
        if held.count(why) == 0 {
            continue;
        }
        let mut into = Report::start_as(attempt, repository, number + SETTLED_REPORT);
        held = settle_one_kind(applier, (number, lines), why, &mut into).await?;
        into.flush().await?;
        number += SETTLED_REPORT;
        lines = into.lines();
        settled = Some((into, number));
    }
    Ok(settled)
}

/// Settles the lines that are held in a report for one reason, into another; returns those that are
/// held there.
async fn settle_one_kind(
    applier: &Applier<'_>,
    (number, lines): (u32, u64),
    which: Hold,
    into: &mut Report<'_>,
) -> Result<HeldLines, JobFailure> {
    applier.owners.look_again();
    let mut left = HeldLines::default();
    let attempt = applier.attempt;
    let limit = match which {
        Hold::Backend | Hold::Owner => WEBHOOK_WAIT,
        Hold::Volume => VOLUME_WAIT,
    };
    let deadline = limit.min(attempt.environment.unreachable_grace);
    let deadline = tokio::time::Instant::now() + deadline;
    let mut entries = Entries {
        applier,
        reading: None,
    };
    let mut next = 0;
    while next < lines {
        let take = (lines - next).min(REPORT_PAGE as u64);
        let repository = &applier.opened.repository;
        let page = repository.read_report(attempt.job, number, next, take);
        let page = page.await?;
        if page.lines.is_empty() {
            let message = format!("the report ends before line {lines}");
            return Err(JobFailure::new(Code::RecoveryPointCorrupt, message));
        }
        next += page.lines.len() as u64;
        let mut prepared = Vec::with_capacity(page.lines.len());
        for text in page.lines {
            let working: WorkingLine = serde_json::from_slice(&text).map_err(unwritable)?;
            prepared.push(match working.held {
                Some(Held { position, why }) if why == which => {
                    let entry = entries.at(position).await?;
                    Line::Held(Box::new(working.line), why, entry)
                }
                other => {
                    left.note(other.map(|held| held.why));
                    Line::Final(text)
                }
            });
        }
        let settling: Vec<_> = prepared
            .into_iter()
            .map(|line| settle_line(applier, line, deadline))
            .collect();
        let mut settled = stream::iter(settling).buffered(APPLIES_IN_FLIGHT);
        while let Some(line) = settled.try_next().await? {
            match line {
                Settled::Before(text) => into.append(&text).await?,
                Settled::Now(told, position) => {
                    left.note(told.hold);
                    tell(*told, position, into).await?;
                }
            }
        }
    }
    Ok(left)
}

/// How many lines of a report are held, by the reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldLines {
    backend: u64,
    owner: u64,
    volume: u64,
}

impl HeldLines {
    pub(super) fn note(&mut self, hold: Option<Hold>) {
        match hold {
            Some(Hold::Backend) => self.backend += 1,
            Some(Hold::Owner) => self.owner += 1,
            Some(Hold::Volume) => self.volume += 1,
            None => {}
        }
    }

    fn count(self, why: Hold) -> u64 {
        match why {
            Hold::Backend => self.backend,
            Hold::Owner => self.owner,
            Hold::Volume => self.volume,
        }
    }
}

/// Adds what came of an entry to a report, as final or as held.
pub(super) async fn tell(
    told: Told,
    position: u64,
    into: &mut Report<'_>,
) -> Result<(), JobFailure> {
    let Some(why) = told.hold else {
        return into.add(told.line).await;
    };
    let held = Some(Held { position, why });
    let line = told.line;
    let text = serde_json::to_vec(&WorkingLine { line, held }).map_err(unwritable)?;
    into.append(&text).await
}

enum Settled {
    Before(Vec<u8>),
    Now(Box<Told>, u64),
}

async fn settle_line(
    applier: &Applier<'_>,
    line: Line,
    deadline: tokio::time::Instant,
) -> Result<Settled, JobFailure> {
    let (line, why, entry) = match line {
        Line::Final(text) => return Ok(Settled::Before(text)),
        Line::Held(line, why, entry) => (line, why, entry),
    };
    let runs = &applier.opened.sequence.runs;
    let found = entry.and_then(|(at, position, entry)| Some((runs.get(at)?, position, entry)));
    let Some((run, position, entry)) = found else {
        return Ok(Settled::Now(Box::new(Told::from(*line)), 0));
    };
    let item = Item {
        position,
        resource: &run.resource,
        entry,
        existing: Existing::Unknown,
        namespace_made: false,
        in_doubt: true,
        blocked: None,
        awaits: None,
        last: true,
        owners_came: why == Hold::Owner,
    };
    let told = match why {
        Hold::Owner => {
            let mut told = applier.link_later(&item, *line).await?;
            applier.hold_for_volume(&item, &mut told).await?;
            told
        }
        Hold::Backend => applier.try_again(&item, deadline).await?,
        Hold::Volume => applier.volume_came(&item, *line, deadline).await?.into(),
    };
    Ok(Settled::Now(Box::new(told), position))
}

impl Applier<'_> {
    /// Gives an object that was made the owners that have come since.
    async fn link_later(&self, item: &Item<'_>, line: ObjectOutcome) -> Result<Told, JobFailure> {
        let told = Told::from(line);
        let body = match self.point.read(&item.entry).await {
            Ok(body) => body,
            Err(error) if error.is_corrupt() => return Ok(told),
            Err(error) => return Err(error.into()),
        };
        let stored: Value = serde_json::from_slice(&body).unwrap_or_default();
        let criteria = &self.spec.criteria;
        let now = self.attempt.created;
        let Desire::Restore(desired) = plan::desire(item.resource, stored, criteria, now) else {
            return Ok(told);
        };
        if self.owners.uid_of(&desired.object).is_some() {
            return self.link_now(item, &desired, told).await;
        }
        // It was made by an earlier attempt, or too long ago to be remembered.
        let live = match self.get(item, &desired).await {
            Ok(live) => live,
            Err(error) if self.is_gone(&error).await => return Err(error.into()),
            Err(_) => None,
        };
        match live.filter(|live| self.may_be_ours(&desired, live)) {
            Some(live) => self.link(item, &desired, &live, told).await,
            None => {
                let line = created(
                    &desired,
                    "it was created, and somebody has removed it since",
                );
                Ok(line.with_code(Code::Conflict).into())
            }
        }
    }

    /// Tries an object again whose type was out of reach. The first of a type asks until it is within
    /// reach or the time is over; the others follow its verdict.
    async fn try_again(
        &self,
        item: &Item<'_>,
        deadline: tokio::time::Instant,
    ) -> Result<Told, JobFailure> {
        let cell = self.stuck.verdict(item.resource);
        let mut mine = None;
        let verdict = cell
            .get_or_try_init(|| async {
                loop {
                    let told = self.try_once(item).await?;
                    let out_of_reach = is_out_of_reach(&told.line);
                    if out_of_reach && tokio::time::Instant::now() < deadline {
                        let pause = self.attempt.environment.unreachable_pause;
                        tokio::time::sleep(WEBHOOK_PAUSE.min(pause)).await;
                        continue;
                    }
                    let words = || (told.line.code.clone(), told.line.reason.clone());
                    let verdict = out_of_reach.then(words);
                    mine = Some(told);
                    return Ok::<_, JobFailure>(verdict);
                }
            })
            .await?
            .clone();
        match (mine, verdict) {
            (Some(told), _) => Ok(told),
            (None, None) => self.try_once(item).await,
            (None, Some((code, why))) => {
                let reason = format!("another of its type was tried to the end: {why}");
                let line = ObjectOutcome::new(self.object(item), Outcome::Failed, reason);
                let mut line = line.with_bytes(item.entry.size);
                line.code = code;
                Ok(line.into())
            }
        }
    }

    /// Handles an object that was put off, unless nothing answers for its type.
    async fn try_once(&self, item: &Item<'_>) -> Result<Told, JobFailure> {
        let (code, reason) = match self.way(item.resource, true).await? {
            Way::Open => return self.handle(item).await,
            Way::Later(reason) => (Code::ApiGroupUnavailable, reason),
            Way::Closed(code, reason) => (code, reason),
        };
        let line = ObjectOutcome::new(self.object(item), Outcome::Failed, reason);
        Ok(line.with_bytes(item.entry.size).with_code(code).into())
    }
}

/// Whether what the API server asks about an object still does not answer.
fn is_out_of_reach(line: &ObjectOutcome) -> bool {
    let codes = [Code::AdmissionWebhookUnavailable, Code::ApiGroupUnavailable];
    line.outcome == Outcome::Failed
        && codes
            .iter()
            .any(|code| line.code.as_deref() == Some(code.as_str()))
}
