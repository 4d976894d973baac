//! Reads the planned types and hands the chosen objects to a sink: the repository, or a preview.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::StreamExt as _;
use serde_json::json;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectFacts, ResourceType};
use strongroom_kubernetes::collect::{Collected, Collector};
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_kubernetes::{ClusterError, Failure};
use strongroom_repository::{PointWriter, Repository, WriterOptions, limits::BODY_MAX};
use uuid::Uuid;

use super::listing::{Listing, Piece};
use super::plan::{Plan, absent_namespaces};
use super::sink::{Sink, Stored};
use crate::crash::Moment;
use crate::job::{Attempt, JobFailure, Step, is_unreachable};
use crate::point::{Cut, EntryFacts, RunHeader};
use crate::reporting::{Report, line_on_type};

/// What was collected, ready to be sealed.
pub(super) struct Gathered {
    pub(super) writer: PointWriter,
    pub(super) cut: Cut,
}

pub(super) async fn collect<'a>(
    attempt: &Attempt,
    repository: &Repository,
    spec: &BackupSpec,
    parent: Option<Uuid>,
    plan: &Plan,
    report: &mut Report<'a>,
) -> Result<Gathered, JobFailure> {
    let options = WriterOptions {
        parent,
        attempt: attempt.number,
    };
    let writer = repository.begin(spec.recovery_point_id, options).await?;
    let mut stored = Stored { writer, report };
    let cut = collect_into(attempt, spec, plan, &mut stored).await?;
    Ok(Gathered {
        writer: stored.writer,
        cut,
    })
}

/// Collects into a sink. A backup and its preview differ in nothing but the sink, so what the preview
/// counts is what the backup takes.
pub(super) async fn collect_into<S: Sink>(
    attempt: &Attempt,
    spec: &BackupSpec,
    plan: &Plan,
    sink: &mut S,
) -> Result<Cut, JobFailure> {
    let at = newest_state(attempt).await?;
    for line in &plan.lines {
        sink.report(line.clone()).await?;
    }
    let cluster = &attempt.environment.cluster;
    let mut listing = Listing::start(
        cluster,
        plan.types.clone(),
        plan.namespaces.clone(),
        at.clone(),
    );
    let mut collecting = Collecting {
        attempt,
        plan,
        sink,
        cut: Cut {
            at,
            ..Cut::default()
        },
        namespaces: BTreeSet::new(),
        volumes_wanted: spec.selection.snapshot_volumes,
        run: None,
        last: None,
    };
    while let Some((resource, mut pieces)) = listing.next_type() {
        while let Some(piece) = pieces.recv().await {
            collecting.take(&resource, piece).await?;
        }
        collecting.finish_type().await?;
        attempt.reach(Step::Collect, Moment::During).await;
    }
    for line in absent_namespaces(&plan.selector, &collecting.namespaces) {
        collecting.sink.report(line).await?;
    }
    Ok(collecting.cut)
}

/// The newest state of the cluster, at which all types are then read.
async fn newest_state(attempt: &Attempt) -> Result<String, JobFailure> {
    let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    let collector = Collector::new(attempt.environment.cluster.clone(), 1);
    let mut pages = pin!(collector.pages(&namespaces, None, None, None));
    match pages.next().await {
        Some(page) => Ok(page?.resource_version),
        None => Err(JobFailure::new(
            Code::InternalServerError,
            "the API server listed no page",
        )),
    }
}

/// Where collecting stands.
struct Collecting<'a, S> {
    attempt: &'a Attempt,
    plan: &'a Plan,
    sink: &'a mut S,
    cut: Cut,
    /// Namespaces that exist, as far as they were chosen.
    namespaces: BTreeSet<String>,
    /// Whether the configuration wants the data of volumes.
    volumes_wanted: bool,
    /// The run that is open: a type gets one with its first object.
    run: Option<String>,
    /// The last object written to it.
    last: Option<String>,
}

impl<S: Sink> Collecting<'_, S> {
    async fn take(&mut self, resource: &ResourceType, piece: Piece) -> Result<(), JobFailure> {
        match piece {
            Piece::Objects {
                items,
                state,
                exact,
                remaining,
            } => {
                if !exact {
                    self.cut.smeared.insert(resource.resource(), state);
                }
                let known = self.attempt.progress.snapshot();
                let ahead = known.counts.total() + known.outside + items.len() as u64 + remaining;
                self.attempt
                    .progress
                    .set_total(ahead.max(known.total.unwrap_or_default()));
                for item in items {
                    self.take_object(resource, item).await?;
                }
                self.attempt.progress.set_new_bytes(self.sink.new_bytes());
                Ok(())
            }
            Piece::Failed(error) => self.take_failure(resource, error).await,
        }
    }

    async fn take_object(
        &mut self,
        resource: &ResourceType,
        item: Collected,
    ) -> Result<(), JobFailure> {
        let Collected { facts, raw } = item;
        let decision = self.plan.selector.decide(resource, &facts);
        if !decision.included {
            return self.pass_over(resource, &facts, decision.rule).await;
        }
        if resource.is("", "Namespace") {
            self.namespaces.insert(facts.object.name.clone());
        }
        let bytes = raw.len() as u64;
        let line = |outcome, reason: String| {
            ObjectOutcome::new(facts.object.clone(), outcome, reason).with_bytes(bytes)
        };
        if raw.len() > BODY_MAX {
            let reason = format!("it has {bytes} bytes; at most {BODY_MAX} can be stored");
            let line = line(Outcome::Failed, reason).with_code(Code::ObjectTooLarge);
            return self.sink.report(line).await;
        }
        let name = facts.object.key();
        if self.last.as_ref().is_some_and(|last| *last >= name) {
            let reason = "the API lists its objects out of order and changed while it was read";
            let line = line(Outcome::Failed, reason.to_owned());
            return self
                .sink
                .report(line.with_code(Code::KubernetesBackupGenericWarning))
                .await;
        }
        self.open_run(resource).await?;
        let meta = serde_json::to_vec(&EntryFacts::of(&facts))
            .map_err(|error| JobFailure::new(Code::InternalServerError, error.to_string()))?;
        self.sink.put(name.clone(), meta, raw).await?;
        self.last = Some(name);
        let mut line = line(Outcome::BackedUp, decision.rule.reason().to_owned());
        if self.volumes_wanted && resource.is("", "PersistentVolumeClaim") {
            line.reason = "the claim is backed up, the volume's data is not".to_owned();
            line = line.with_code(Code::VolumeDataNotProtected);
        }
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
                | Rule::SystemNamespace
                | Rule::OwnNamespace
        );
        if elsewhere && !(resource.is("", "Namespace") && rule != Rule::NamespaceNotChosen) {
            self.attempt.progress.add_outside(1);
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
        // When a type of the API server itself does not answer, the API server does not.
        if is_unreachable(&error) && (!resource.is_custom() || error.is_unreachable()) {
            return Err(error.into());
        }
        let code = match &error.failure {
            Failure::NotFound { .. } => Code::ResourceTypeRemovedDuringBackup,
            Failure::Forbidden { .. } => Code::UserErrorClusterPermissionMissing,
            Failure::Unauthorized { .. } => return Err(error.into()),
            _ => Code::ApiGroupUnavailable,
        };
        let line = line_on_type(resource, Outcome::Failed, error.to_string()).with_code(code);
        self.sink.report(line).await
    }

    async fn open_run(&mut self, resource: &ResourceType) -> Result<(), JobFailure> {
        if self.run.is_none() {
            let group = resource.resource();
            let header = json!(RunHeader {
                resource: resource.clone()
            });
            self.sink.start_run(group.clone(), header).await?;
            self.run = Some(group);
        }
        Ok(())
    }

    async fn finish_type(&mut self) -> Result<(), JobFailure> {
        if self.run.take().is_some() {
            self.sink.finish_run().await?;
        }
        self.last = None;
        Ok(())
    }
}
