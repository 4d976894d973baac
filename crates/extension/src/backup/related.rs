//! What taken objects need of the cluster's own scope, learnt while they are collected.
//!
//! With the cluster's scope switched off the types that may be needed are read last, stage by stage
//! ([`Stage`]), and only when something names them. Otherwise nothing is learnt and nothing is parsed.

use std::pin::pin;

use futures::StreamExt as _;
use serde_json::Value;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::related::{self, Needs, Stage};
use strongroom_core::selection::{Decision, Rule, Selector};
use strongroom_core::{Code, ObjectFacts, ResourceType};
use strongroom_kubernetes::ClusterError;
use strongroom_kubernetes::collect::Whole;

use super::listing::Source;
use super::plan::Plan;
use crate::reporting::line_on_type;

/// What is needed so far.
pub(super) struct Related<'a> {
    types: &'a [ResourceType],
    needs: Needs,
}

impl<'a> Related<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            types: &plan.related,
            needs: Needs::among(&plan.related),
        }
    }

    /// The name of a type's run.
    pub(super) fn run_name(&self, resource: &ResourceType) -> String {
        related::run_name(resource, self.types.contains(resource))
    }

    /// Takes in what an object that is taken needs.
    pub(super) fn learn(&mut self, resource: &ResourceType, facts: &ObjectFacts, raw: &Whole) {
        if self.types.is_empty() {
            return;
        }
        let content = if related::is_read(resource) {
            content(raw)
        } else {
            Value::Null
        };
        self.needs.learn(resource, facts, &content);
    }

    /// The decision over an object, and why: what is left because nothing needs it is looked up.
    pub(super) fn decide(
        &self,
        selector: &Selector,
        resource: &ResourceType,
        facts: &ObjectFacts,
        raw: &Whole,
    ) -> (Decision, String) {
        let decision = selector.decide(resource, facts);
        if decision.rule == Rule::NotNeeded {
            self.needs.decide(resource, facts, &content(raw))
        } else {
            (decision, decision.rule.reason().to_owned())
        }
    }

    /// The types of a stage that are to be read, and a line for each other one.
    pub(super) fn of_stage(&self, stage: Stage) -> (Vec<ResourceType>, Vec<ObjectOutcome>) {
        let types = self.types.iter().filter(|one| related::stage(one) == stage);
        let (wanted, others): (Vec<_>, Vec<_>) = types.partition(|one| self.needs.wants(one));
        let left = |resource: &ResourceType| {
            line_on_type(resource, Outcome::Skipped, Rule::NotNeeded.reason())
        };
        let wanted = wanted.into_iter().cloned().collect();
        (wanted, others.into_iter().map(left).collect())
    }

    /// Goes once through a type whose objects need each other, before they are decided over. Of other
    /// types it reads nothing.
    pub(super) async fn survey(
        &mut self,
        source: &Source,
        resource: &ResourceType,
    ) -> Result<(), ClusterError> {
        if !self.needs.wants_survey(resource) {
            return Ok(());
        }
        let state = source.revisions.at();
        let mut pages = pin!(source.collector.pages(resource, None, Some(state), None));
        while let Some(page) = pages.next().await {
            for item in page?.items {
                self.needs
                    .survey(resource, &item.facts, &content(&item.raw));
            }
        }
        self.needs.surveyed();
        Ok(())
    }

    /// A finding for each type of which more is needed than is kept in mind.
    pub(super) fn overflowed(&self) -> Vec<ObjectOutcome> {
        let types = self.types.iter().filter(|one| {
            let mut overflowed = self.needs.overflowed();
            overflowed.any(|(group, kind)| one.is(group, kind))
        });
        types
            .map(|resource| {
                let reason = "more objects of the cluster's own scope are needed than are kept in mind, so all of this type were taken";
                line_on_type(resource, Outcome::Skipped, reason).with_code(Code::TooManyNeededObjects)
            })
            .collect()
    }
}

/// An object's content. What the API server sent is an object; were it not, it would need nothing.
fn content(raw: &Whole) -> Value {
    raw.json().unwrap_or_default()
}
