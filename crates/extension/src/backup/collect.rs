//! Reads the planned types and hands the chosen objects to a sink: the repository, or a preview.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::Rule;
use strongroom_core::selection::related::Stage;
use strongroom_core::volumes::ClaimFacts;
use strongroom_core::{Code, ObjectFacts, ObjectRef, Problem, ResourceType};
use strongroom_kubernetes::collect::{Collected, Collector};
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_kubernetes::{ClusterError, Failure};
use strongroom_repository::{PointWriter, limits::BODY_MAX};

use super::listing::{Listing, Piece, Shown, Source};
use super::plan::{Plan, absent_namespaces};
use super::related::Related;
use super::revisions::{self, Revisions};
use super::sink::{Sink, Stored};
use super::trouble::{Trouble, judge, judge_knowing};
use crate::crash::Moment;
use crate::job::{Attempt, JobFailure, Step};
use crate::limits::VOLUMES_MAX;
use crate::point::{Cut, EntryFacts, RunHeader};
use crate::reporting::{Report, line_on_type};
use crate::volumes::{Claims, Held};

/// What was collected, ready to be sealed.
pub(super) struct Gathered {
    pub(super) writer: PointWriter,
    pub(super) cut: Cut,
    /// Claims whose lines wait for what becomes of their volumes.
    pub(super) claims: Claims,
}

pub(super) async fn collect<'a>(
    attempt: &Attempt,
    writer: PointWriter,
    spec: &BackupSpec,
    plan: &Plan,
    report: &mut Report<'a>,
) -> Result<Gathered, JobFailure> {
    let mut stored = Stored { writer, report };
    let (cut, claims) = collect_into(attempt, spec, plan, &mut stored).await?;
    Ok(Gathered {
        writer: stored.writer,
        cut,
        claims,
    })
}

/// Collects into a sink. A backup and its preview differ in nothing but the sink, so what the preview
/// counts is what the backup takes. The claims that it gives back have no lines yet.
pub(super) async fn collect_into<S: Sink>(
    attempt: &Attempt,
    spec: &BackupSpec,
    plan: &Plan,
    sink: &mut S,
) -> Result<(Cut, Claims), JobFailure> {
    let cluster = &attempt.environment.cluster;
    let revisions = Arc::new(Revisions::start(cluster).await?);
    for line in &plan.lines {
        sink.report(line.clone()).await?;
    }
    let mut collecting = Collecting {
        attempt,
        plan,
        sink,
        source: Source {
            cluster: cluster.clone(),
            collector: Collector::with_defaults(cluster.clone()),
            namespaces: plan.namespaces.clone(),
            revisions: Arc::clone(&revisions),
        },
        cut: Cut {
            at: revisions.at().to_owned(),
            ..Cut::default()
        },
        namespaces: BTreeSet::new(),
        volumes_wanted: spec.selection.snapshot_volumes,
        claims: Claims::default(),
        related: Related::new(plan),
        open: BTreeMap::new(),
    };
    collecting.read(&plan.types).await?;
    collecting.read_related().await?;
    for line in absent_namespaces(&plan.selector, &collecting.namespaces) {
        collecting.sink.report(line).await?;
    }
    for line in collecting.smears() {
        collecting.sink.report(line).await?;
    }
    Ok((collecting.cut, collecting.claims))
}

/// Where collecting stands.
struct Collecting<'a, S> {
    attempt: &'a Attempt,
    plan: &'a Plan,
    sink: &'a mut S,
    cut: Cut,
    source: Source,
    /// Namespaces that exist, of those that the configuration names.
    namespaces: BTreeSet<String>,
    /// Whether the configuration wants the data of volumes.
    volumes_wanted: bool,
    /// Claims whose volumes are looked after once everything is read.
    claims: Claims,
    /// What the objects so far need of the cluster's own scope.
    related: Related<'a>,
    /// Types that are being read.
    open: BTreeMap<Arc<ResourceType>, Open>,
}

/// Where one type stands.
#[derive(Default)]
struct Open {
    /// Whether it has a run: it gets one with its first object.
    run: bool,
    /// The last object written to it.
    last: Option<String>,
}

impl<S: Sink> Collecting<'_, S> {
    /// A finding for each type that was not read at the moment of all others.
    fn smears(&self) -> Vec<ObjectOutcome> {
        let types = self.plan.types.iter().chain(&self.plan.related);
        let smeared = types.filter_map(|resource| {
            let state = self.cut.smeared.get(&resource.resource())?;
            let reason = format!(
                "it was read up to state {state}, all others at {}: its objects may know of something \
                 that those do not",
                self.cut.at
            );
            let line = line_on_type(resource, Outcome::Skipped, reason);
            Some(line.with_code(Code::RecoveryPointSmeared))
        });
        smeared.collect()
    }

    /// Reads these types to their end.
    async fn read(&mut self, types: &[ResourceType]) -> Result<(), JobFailure> {
        let mut listing = Listing::start(self.source.clone(), types);
        let mut left = types.len();
        while let Some((resource, piece)) = listing.next().await {
            let ended = !matches!(piece, Piece::Objects { .. });
            self.take(&resource, piece).await?;
            if ended {
                left -= 1;
                self.finish_type(&resource).await?;
                self.attempt.reach(Step::Collect, Moment::During).await;
            }
        }
        if left > 0 {
            let message = format!("the readers of {left} types ended without a word");
            return Err(JobFailure::new(Code::InternalServerError, message));
        }
        Ok(())
    }

    /// Reads what the objects so far need of the cluster's own scope, when that is switched off.
    async fn read_related(&mut self) -> Result<(), JobFailure> {
        for stage in Stage::ALL {
            let (wanted, others) = self.related.of_stage(stage);
            for line in others {
                self.sink.report(line).await?;
            }
            let mut types = Vec::with_capacity(wanted.len());
            for resource in wanted {
                let surveyed = self.related.survey(&self.source, &resource).await;
                match surveyed {
                    Ok(()) => types.push(resource),
                    Err(error) => self.take_failure(&resource, error).await?,
                }
            }
            self.read(&types).await?;
        }
        for line in self.related.overflowed() {
            self.sink.report(line).await?;
        }
        Ok(())
    }

    async fn take(&mut self, resource: &Arc<ResourceType>, piece: Piece) -> Result<(), JobFailure> {
        match piece {
            Piece::Objects {
                items,
                state,
                shown,
                remaining,
            } => {
                match shown {
                    Shown::AsAsked => None,
                    Shown::Later => self.cut.smeared.insert(resource.resource(), state),
                    Shown::Apart => self.cut.apart.insert(resource.resource(), state),
                };
                let known = self.attempt.progress.snapshot();
                let ahead = known.counts.total() + known.outside + items.len() as u64 + remaining;
                self.attempt
                    .progress
                    .set_total(ahead.max(known.total.unwrap_or_default()));
                let mut open = self.open.remove(resource).unwrap_or_default();
                if open.run {
                    self.sink.turn_to(&self.related.run_name(resource))?;
                }
                for (key, item) in items {
                    self.take_object(resource, &mut open, key, item).await?;
                }
                self.open.insert(Arc::clone(resource), open);
                self.attempt.progress.set_new_bytes(self.sink.new_bytes());
                Ok(())
            }
            Piece::Failed(error) => self.take_failure(resource, error).await,
            Piece::End => Ok(()),
        }
    }

    async fn take_object(
        &mut self,
        resource: &ResourceType,
        open: &mut Open,
        name: String,
        item: Collected,
    ) -> Result<(), JobFailure> {
        let Collected { facts, raw } = item;
        let selector = &self.plan.selector;
        let (decision, reason) = self.related.decide(selector, resource, &facts, &raw);
        if !decision.included {
            return self.pass_over(resource, &facts, decision.rule).await;
        }
        if resource.is("", "Namespace") && self.plan.selector.chosen_namespaces().is_some() {
            self.namespaces.insert(facts.object.name.clone());
        }
        let bytes = raw.len() as u64;
        let line = |object: ObjectRef, outcome, reason: String| {
            ObjectOutcome::new(object, outcome, reason).with_bytes(bytes)
        };
        if raw.len() > BODY_MAX {
            let reason = format!("it has {bytes} bytes; at most {BODY_MAX} can be stored");
            let line = line(facts.object, Outcome::Failed, reason);
            return self.sink.report(line.with_code(Code::ObjectTooLarge)).await;
        }
        if open.last.as_ref().is_some_and(|last| *last >= name) {
            let reason = "the API lists its objects out of order and changed while it was read";
            let line = line(facts.object, Outcome::Failed, reason.to_owned());
            return self
                .sink
                .report(line.with_code(Code::KubernetesBackupGenericWarning))
                .await;
        }
        if !open.run {
            let header = json!(RunHeader {
                resource: resource.clone(),
                about: None,
            });
            let name = self.related.run_name(resource);
            self.sink.start_run(name, header).await?;
            open.run = true;
        }
        let meta = EntryFacts::written(&facts)
            .map_err(|error| JobFailure::new(Code::InternalServerError, error.to_string()))?;
        self.related.learn(resource, &facts, &raw);
        let claim = self.volumes_wanted && resource.is("", "PersistentVolumeClaim");
        // What the API server sent is an object; were it not, the claim would have no volume.
        let claim = claim.then(|| ClaimFacts::of(&raw.json().unwrap_or_default()));
        name.clone_into(open.last.get_or_insert_default());
        self.sink.put(name, meta, raw).await?;
        if let Some(claim) = claim {
            return self.hold(facts.object, bytes, reason, claim).await;
        }
        let mut line = line(facts.object, Outcome::BackedUp, reason);
        if facts.terminating && resource.is("", "Namespace") {
            line.reason = "it is being deleted; what is left of it is backed up".to_owned();
            line = line.with_code(Code::NamespaceTerminating);
        }
        self.sink.report(line).await
    }

    /// Keeps a claim in mind until its volume is looked after, which says the last word over it.
    async fn hold(
        &mut self,
        object: ObjectRef,
        bytes: u64,
        reason: String,
        facts: ClaimFacts,
    ) -> Result<(), JobFailure> {
        let held = Held {
            object,
            bytes,
            reason,
            facts,
        };
        let Some(held) = self.claims.hold(held) else {
            return Ok(());
        };
        let mut line = held.line().with_code(Code::VolumeDataNotProtected);
        line.reason = format!(
            "the claim is backed up, the volume's data is not: a recovery point takes snapshots of {VOLUMES_MAX} volumes at most"
        );
        self.sink.report(line).await
    }

    /// An object that is not chosen. Those of other namespaces are only counted: they are no part
    /// of what the configuration speaks of.
    async fn pass_over(
        &mut self,
        resource: &ResourceType,
        facts: &ObjectFacts,
        rule: Rule,
    ) -> Result<(), JobFailure> {
        let elsewhere = matches!(
            rule,
            Rule::NamespaceNotChosen
                | Rule::NamespaceExcluded
                | Rule::NamespaceExcludedByLabel
                | Rule::SystemNamespace
                | Rule::OwnNamespace
        );
        if elsewhere && !(resource.is("", "Namespace") && rule != Rule::NamespaceNotChosen) {
            self.attempt.progress.add_outside(1);
            self.sink.outside(resource, rule);
            return Ok(());
        }
        let line = ObjectOutcome::new(facts.object.clone(), Outcome::Skipped, rule.reason());
        self.sink.report(line).await
    }

    /// A type that could not be read (any further). What was read of it stays.
    async fn take_failure(
        &mut self,
        resource: &ResourceType,
        error: ClusterError,
    ) -> Result<(), JobFailure> {
        let trouble = match judge(resource, &error.failure) {
            Some(trouble) => trouble,
            None => {
                let cluster = &self.source.cluster;
                let answer = revisions::newest(cluster, &revisions::reference(), None).await;
                judge_knowing(resource, &error.failure, answer.is_ok())
            }
        };
        let Trouble::Finding(code) = trouble else {
            return Err(lost_cluster(error));
        };
        let line = line_on_type(resource, Outcome::Failed, error.to_string()).with_code(code);
        self.sink.report(line).await
    }

    async fn finish_type(&mut self, resource: &Arc<ResourceType>) -> Result<(), JobFailure> {
        if self.open.remove(resource).is_some_and(|open| open.run) {
            self.sink.turn_to(&self.related.run_name(resource))?;
            self.sink.finish_run().await?;
        }
        Ok(())
    }
}

/// The failure of an attempt whose API server is lost: it may come back, unless it refuses us.
fn lost_cluster(error: ClusterError) -> JobFailure {
    match error.failure {
        Failure::Unauthorized { .. } => error.into(),
        _ => {
            let problem = Problem::new(Code::ClusterLostDuringJob, error.to_string());
            JobFailure::Unreachable(problem)
        }
    }
}
