//! What a restore takes of the cluster's own scope although that is switched off: what the objects that
//! it restores need, as a backup does ([`strongroom_core::selection::related`]).
//!
//! Restores go in waves, and what is needed comes before what needs it; so the recovery point is looked
//! through once before. Only types that can name something are read, and only in such a restore.

use futures::StreamExt as _;
use serde_json::Value;
use strongroom_core::ObjectFacts;
use strongroom_core::selection::related::{self, Needs, Stage};
use strongroom_core::selection::{Rule, Selector};
use strongroom_repository::{Entry, Point};

use super::sequence::{Run, Sequence};
use crate::job::JobFailure;
use crate::point::EntryFacts;

/// What the chosen objects of a recovery point need; nothing when the cluster's scope is switched on.
pub(super) async fn needs(
    point: &Point,
    sequence: &Sequence,
    selector: &Selector,
) -> Result<Needs, JobFailure> {
    if !selector.follows_needs() {
        return Ok(Needs::default());
    }
    let on_need = |run: &&Run| selector.decide_type(&run.resource).rule == Rule::TakenWhenNeeded;
    let (related, others): (Vec<&Run>, Vec<&Run>) = sequence.runs.iter().partition(on_need);
    let mut looking = Looking {
        point,
        needs: Needs::among(related.iter().map(|run| &run.resource)),
    };
    for run in others {
        if selector.decide_type(&run.resource).included {
            let chosen = |facts: &ObjectFacts| {
                let decision = selector.decide(&run.resource, facts);
                decision.included && decision.rule != Rule::NamespaceCarried
            };
            looking
                .learn(run, related::is_read(&run.resource), chosen)
                .await?;
        }
    }
    for stage in Stage::ALL {
        for run in related
            .iter()
            .filter(|run| related::stage(&run.resource) == stage)
        {
            looking.learn_related(run).await?;
        }
    }
    Ok(looking.needs)
}

/// Whether a restore takes an entry that is taken on need only. One that cannot be read is taken, so
/// that its line says what is wrong with it.
pub(super) async fn is_needed(
    point: &Point,
    needs: &Needs,
    run: &Run,
    entry: &Entry,
    facts: &ObjectFacts,
) -> Result<bool, JobFailure> {
    match content(point, entry).await? {
        Some(content) => Ok(needs.decide(&run.resource, facts, &content).0.included),
        None => Ok(true),
    }
}

struct Looking<'a> {
    point: &'a Point,
    needs: Needs,
}

impl Looking<'_> {
    /// Learns from the chosen objects of a type, whose content is read when it can name something.
    async fn learn(
        &mut self,
        run: &Run,
        read: bool,
        chosen: impl Fn(&ObjectFacts) -> bool,
    ) -> Result<(), JobFailure> {
        let mut entries = self.point.entries(&run.group);
        while let Some(entry) = entries.next().await {
            let Some(entry) = whole(entry)? else {
                return Ok(());
            };
            let kept: EntryFacts = serde_json::from_slice(&entry.meta).unwrap_or_default();
            let known = kept.facts(&run.resource, &entry.name);
            let content = match &known {
                Some(facts) if !read || !chosen(facts) => Value::Null,
                _ => content(self.point, &entry).await?.unwrap_or_default(),
            };
            let facts = known.unwrap_or_else(|| ObjectFacts::of(&run.resource, &content));
            if chosen(&facts) {
                self.needs.learn(&run.resource, &facts, &content);
            }
        }
        Ok(())
    }

    /// Learns from the needed objects of a type that is taken on need.
    async fn learn_related(&mut self, run: &Run) -> Result<(), JobFailure> {
        if !self.needs.wants(&run.resource) {
            return Ok(());
        }
        let surveyed = self.needs.wants_survey(&run.resource);
        for survey in [true, false] {
            if survey && !surveyed {
                continue;
            }
            let mut entries = self.point.entries(&run.group);
            while let Some(entry) = entries.next().await {
                let Some(entry) = whole(entry)? else {
                    return Ok(());
                };
                let Some(content) = content(self.point, &entry).await? else {
                    continue;
                };
                let facts = ObjectFacts::of(&run.resource, &content);
                if survey {
                    self.needs.survey(&run.resource, &facts, &content);
                } else if self
                    .needs
                    .decide(&run.resource, &facts, &content)
                    .0
                    .included
                {
                    self.needs.learn(&run.resource, &facts, &content);
                }
            }
            if survey {
                self.needs.surveyed();
            }
        }
        Ok(())
    }
}

/// An entry, or nothing when the list of them is damaged here: the restore comes to the same place and
/// says so.
fn whole(entry: strongroom_repository::Result<Entry>) -> Result<Option<Entry>, JobFailure> {
    match entry {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.is_corrupt() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An object's content, or nothing when it is damaged.
async fn content(point: &Point, entry: &Entry) -> Result<Option<Value>, JobFailure> {
    match point.read(entry).await {
        Ok(body) => Ok(Some(serde_json::from_slice(&body).unwrap_or_default())),
        Err(error) if error.is_corrupt() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
