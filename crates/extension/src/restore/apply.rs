//! Handles one entry: reads it, makes it ready, decides over it, and (in mode Apply) acts.
//!
//! Every act can be done again: a create that was carried out before is seen as such, patches and
//! status writes set what is set already.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::conflict::Action;
use strongroom_core::restore::mapping;
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectRef};
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::crd::{RestoreMode, RestoreSpec};
use strongroom_kubernetes::{ClusterError, FIELD_MANAGER, Failure};
use strongroom_repository::Point;

use super::calls::Calls;
use super::classes::Classes;
use super::create::Creation;
use super::foresee::Trials;
use super::item::{Hold, Item, Told};
use super::lines::{self, UNCHANGED, created, failed, wrote};
use super::namespaces::Namespaces;
use super::observe::Existing;
use super::open::Opened;
use super::owners::{Owners, Scope};
use super::plan::{self, Desire, Desired};
use super::stuck::{self, Stuck};
use super::target::Target;
use super::volumes::Offer;
use crate::job::{Attempt, JobFailure, is_unreachable, object_code};
use crate::point::object_of;

/// How often an object is looked at anew because it came or went in between.
const LOOKS: u32 = 4;

/// Handles entries. Shared by those in flight.
pub(super) struct Applier<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) spec: &'a RestoreSpec,
    pub(super) opened: &'a Opened,
    pub(super) point: &'a Point,
    pub(super) target: Target,
    pub(super) calls: Calls,
    pub(super) owners: Owners,
    pub(super) classes: Classes,
    pub(super) namespaces: Namespaces,
    pub(super) stuck: Stuck,
    pub(super) offer: Offer,
    pub(super) trials: Mutex<Trials>,
    /// Types that the extension may not create, with the reason; known in a validation only.
    pub(super) forbidden: BTreeMap<String, String>,
}

impl Applier<'_> {
    /// Handles one entry. What goes wrong with it alone is its outcome.
    pub(super) async fn handle(&self, item: &Item<'_>) -> Result<Told, JobFailure> {
        let began = tokio::time::Instant::now();
        let mut told = self.outcome(item).await?;
        let millis = began.elapsed().as_millis();
        told.line = told
            .line
            .with_bytes(item.entry.size)
            .with_millis(u64::try_from(millis).unwrap_or_default());
        Ok(told)
    }

    async fn outcome(&self, item: &Item<'_>) -> Result<Told, JobFailure> {
        let criteria = &self.spec.criteria;
        let failed = |code: Code, reason: String| {
            let object = self.object(item);
            let line = ObjectOutcome::new(object, Outcome::Failed, reason);
            Ok(Told::from(line.with_code(code)))
        };
        if let Some((code, reason)) = &item.blocked {
            return failed(*code, reason.clone());
        }
        if let (Some(why), RestoreMode::Apply) = (&item.awaits, self.spec.mode) {
            let line = ObjectOutcome::new(self.object(item), Outcome::Failed, why.clone());
            return Ok(self.put_off_with(line.with_code(Code::ApiGroupUnavailable)));
        }
        let body = match self.point.read(&item.entry).await {
            Ok(body) => body,
            Err(error) if error.is_corrupt() => {
                return failed(Code::RecoveryPointCorrupt, error.to_string());
            }
            Err(error) => return Err(error.into()),
        };
        let value: Value = match serde_json::from_slice(&body) {
            Ok(value) => value,
            Err(error) => return failed(Code::RecoveryPointCorrupt, format!("not JSON: {error}")),
        };
        if let Some(why) = self.volume_is_replaced(item, &value).await? {
            let line = ObjectOutcome::new(self.object(item), Outcome::Skipped, why);
            return Ok(line.into());
        }
        // The same moment for every attempt and for the validation's own objects.
        let now = self.attempt.created;
        let mut told = match plan::desire(item.resource, value, criteria, now) {
            Desire::Leave(object, rule) => {
                return Ok(ObjectOutcome::new(object, Outcome::Skipped, rule.reason()).into());
            }
            Desire::Moot(object, reason) => {
                return Ok(ObjectOutcome::new(object, Outcome::Skipped, reason).into());
            }
            Desire::Restore(desired) if self.spec.mode == RestoreMode::Validate => {
                self.foresee(item, *desired).await?.into()
            }
            Desire::Restore(desired) => self.act(item, *desired).await?,
        };
        if let (Some(why), Outcome::Created) = (&item.awaits, told.line.outcome) {
            let trouble = format!("{why}; it is tried at the end, when that may answer");
            told.line = lines::but(told.line, Code::ApiGroupUnavailable, &trouble);
        }
        told.line = self.with_data_left(item, told.line).await?;
        self.hold_for_volume(item, &mut told).await?;
        Ok(told)
    }

    /// The entry's object as it is called here.
    pub(super) fn object(&self, item: &Item<'_>) -> ObjectRef {
        let mut object = object_of(item.resource, &item.entry.name);
        let mappings = &self.spec.criteria.namespace_mappings;
        object.namespace = object
            .namespace
            .map(|namespace| mapping::target(&namespace, mappings).to_owned());
        if item.resource.is("", "Namespace") {
            object.name = mapping::target(&object.name, mappings).to_owned();
        }
        object
    }

    async fn act(&self, item: &Item<'_>, mut desired: Desired) -> Result<Told, JobFailure> {
        if let Some(told) = self.put_off(item, &desired) {
            return Ok(told);
        }
        let mut may_be_ours = item.in_doubt;
        let mut existing = match &item.existing {
            Existing::Yes(raw) => serde_json::from_slice(raw).ok(),
            Existing::No => None,
            Existing::Unknown => match self.get(item, &desired).await {
                Ok(live) => live,
                Err(error) => return self.refused(item, &desired, error).await,
            },
        };
        let mut why = "it was created by an earlier attempt of this job";
        for _ in 0..LOOKS {
            // The cluster makes the default account too, at the same moment, without a manager.
            let doubtful = may_be_ours && desired.rule != Rule::DefaultServiceAccountPatched;
            if let Some(live) = existing
                .as_ref()
                .filter(|live| doubtful && self.may_be_ours(&desired, live))
            {
                let line = created(&desired, why);
                let told = self.complete(item, &desired, live, line).await?;
                return self.link(item, &desired, live, told).await;
            }
            let criteria = &self.spec.criteria;
            match plan::decide(&desired, criteria, item.namespace_made, existing.as_ref()) {
                Action::Create => match self.create(item, &mut desired).await? {
                    Creation::Told(told) => return Ok(*told),
                    Creation::Exists { unheard } => {
                        if unheard {
                            may_be_ours = true;
                            why = "it did not exist; the answer to its create was lost on the way";
                        }
                        match self.get(item, &desired).await {
                            Ok(live) => existing = live,
                            Err(error) => return self.refused(item, &desired, error).await,
                        }
                    }
                },
                Action::Unchanged => {
                    let live = existing.unwrap_or_default();
                    self.note(item, &live);
                    return Ok(self.unchanged(item, &desired, &live).into());
                }
                Action::Patch => return self.patch(item, &desired).await,
                Action::Adjust { patch, reason } => {
                    return self.adjust(item, &desired, &patch, reason).await;
                }
                Action::Skip { reason } => {
                    self.note(item, &existing.unwrap_or_default());
                    let line = ObjectOutcome::new(desired.object, Outcome::Skipped, reason);
                    return Ok(line.with_code(Code::ObjectExistsAndDiffers).into());
                }
                Action::AwaitDeletion => match self.await_deletion(item, &desired).await {
                    Ok(()) => existing = None,
                    Err(error) => {
                        let reason = error.to_string();
                        return Ok(failed(&desired, Code::ObjectTerminating, reason).into());
                    }
                },
            }
        }
        let reason = "somebody else creates and deletes it at the same time".to_owned();
        Ok(failed(&desired, Code::Conflict, reason).into())
    }

    /// Remembers an object that is there, for what it owns, and a definition for its types.
    pub(super) fn note(&self, item: &Item<'_>, live: &Value) {
        self.owners.note(item.resource, live);
        if super::target::is_established(live) {
            self.target.define(live, None);
        }
    }

    fn unchanged(&self, item: &Item<'_>, desired: &Desired, live: &Value) -> ObjectOutcome {
        let object = desired.object.clone();
        if item.in_doubt && wrote(live, Some("Apply"), self.attempt.created) {
            let reason = "it was patched by an earlier attempt of this job";
            return ObjectOutcome::new(object, Outcome::Patched, reason);
        }
        ObjectOutcome::new(object, Outcome::Unchanged, UNCHANGED)
    }

    async fn patch(&self, item: &Item<'_>, desired: &Desired) -> Result<Told, JobFailure> {
        let mut value = desired.prepared.settled(&desired.value);
        // What the cluster assigned to the existing object cannot be changed.
        desired.prepared.relax(&mut value, &[]);
        let (cluster, kind) = (&self.calls.cluster, item.resource);
        let apply = || requests::patch_apply(cluster, kind, &value, FIELD_MANAGER, true);
        let mut outcome = self.calls.send(apply).await.outcome;
        // Lists with doubled keys are legal objects, but server-side apply cannot merge them.
        if let Err(ClusterError { failure, .. }) = &outcome
            && failure.to_string().contains("typed patch object")
        {
            let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
            let merge = || requests::patch_merge(cluster, kind, namespace, name, &value);
            outcome = self.calls.send(merge).await.outcome;
        }
        match outcome {
            Ok(written) => {
                self.note(item, &written.object);
                let object = desired.object.clone();
                let line = ObjectOutcome::new(object, Outcome::Patched, "it existed and differed");
                let line = lines::without_unknown(line, &written.warnings);
                Ok(still_differs(line, &value, &written.object).into())
            }
            Err(error) => self.refused(item, desired, error).await,
        }
    }

    async fn adjust(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        patch: &Value,
        reason: &str,
    ) -> Result<Told, JobFailure> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let cluster = &self.calls.cluster;
        let merge = || requests::patch_merge(cluster, item.resource, namespace, name, patch);
        match self.calls.send(merge).await.outcome {
            Ok(_) => {
                Ok(ObjectOutcome::new(desired.object.clone(), Outcome::Patched, reason).into())
            }
            Err(error) => self.refused(item, desired, error).await,
        }
    }

    pub(super) async fn get(
        &self,
        item: &Item<'_>,
        desired: &Desired,
    ) -> Result<Option<Value>, ClusterError> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let asked = || requests::get(&self.calls.cluster, item.resource, namespace, name);
        self.calls.send(asked).await.outcome
    }

    async fn await_deletion(&self, item: &Item<'_>, desired: &Desired) -> Result<(), ClusterError> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let limit = self.attempt.environment.namespace_gone_wait;
        requests::wait_gone(&self.target.cluster, item.resource, namespace, name, limit).await
    }

    /// Whether a namespace was created by an attempt at this job: it is no older than the job (both
    /// times are the API server's) and our field manager wrote it. Namespaces bear our name until all
    /// that goes into them is there.
    pub(super) fn is_ours(&self, live: &Value) -> bool {
        // What exists before the first attempt has written anything is somebody else's, however young:
        // times have a granularity of a second.
        if self.attempt.number == 1 || self.spec.mode == RestoreMode::Validate {
            return false;
        }
        let unmanaged = live["metadata"]["managedFields"]
            .as_array()
            .is_none_or(Vec::is_empty);
        self.is_young(live) && (unmanaged || wrote(live, None, self.attempt.created))
    }

    /// Whether an object in doubt was created by an attempt at this job: it is no older than the job,
    /// and bears our field manager's name or those that the restore gives to it.
    pub(super) fn may_be_ours(&self, desired: &Desired, live: &Value) -> bool {
        self.is_young(live) && desired.prepared.may_have_made(live, FIELD_MANAGER)
    }

    /// Whether it was created after this job was: later by the clock of the API server, or in the
    /// second of the job and written since it began.
    pub(super) fn is_young(&self, live: &Value) -> bool {
        let created: Option<Timestamp> = live["metadata"]["creationTimestamp"]
            .as_str()
            .and_then(|time| time.parse().ok());
        let newer = || {
            let revision = live["metadata"]["resourceVersion"].as_str();
            let revision: Option<u64> = revision.and_then(|revision| revision.parse().ok());
            revision.is_none_or(|revision| revision > self.attempt.since)
        };
        created.is_some_and(|created| match created.cmp(&self.attempt.created) {
            Ordering::Less => false,
            // Times have a granularity of a second. Only there are revisions asked: other types may
            // lie in another etcd, whose revisions say nothing here.
            Ordering::Equal => newer(),
            Ordering::Greater => true,
        })
    }

    /// Where the owners of an object are looked for.
    pub(super) fn scope<'s>(&'s self, item: &Item<'_>, desired: &'s Desired) -> Scope<'s> {
        Scope {
            calls: &self.calls,
            target: &self.target,
            namespace: desired.object.namespace.as_deref(),
            all_known: item.namespace_made && self.attempt.number == 1 && !item.last,
        }
    }

    /// Whether the API server as a whole does not answer. Some of its answers say so although only
    /// what it asked itself (an aggregated API, a webhook) did not: then it says its version.
    pub(super) async fn is_gone(&self, error: &ClusterError) -> bool {
        is_unreachable(error) && self.calls.cluster.version().await.is_err()
    }

    /// The outcome of an object that the API server refused, or the end of the attempt when the API
    /// server as a whole does not answer.
    pub(super) async fn refused(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        error: ClusterError,
    ) -> Result<Told, JobFailure> {
        if self.is_gone(&error).await || matches!(error.failure, Failure::Unauthorized { .. }) {
            return Err(error.into());
        }
        let out_of_reach = stuck::out_of_reach(&error.failure);
        let code = out_of_reach.unwrap_or_else(|| object_code(&error.failure));
        let line = failed(desired, code, error.to_string());
        if out_of_reach.is_some() && !item.last {
            self.stuck.failed(item.resource);
            return Ok(self.put_off_with(line));
        }
        if stuck::webhook_failed(&error.failure) && !item.last {
            return Ok(self.put_off_with(line));
        }
        Ok(line.into())
    }

    /// An object that is handled once more at the end.
    pub(super) fn put_off_with(&self, mut line: ObjectOutcome) -> Told {
        line.reason = format!("{}; it is tried once more at the end", line.reason);
        let hold = Some(Hold::Backend);
        Told { line, hold }
    }
}

/// The same line, with a warning when the object is still not what was asked for: server-side apply
/// leaves items of lists that others own.
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy>
fn still_differs(line: ObjectOutcome, asked: &Value, live: &Value) -> ObjectOutcome {
    let comparison = strongroom_core::equality::Comparison::for_patch();
    let differences = strongroom_core::equality::differences(asked, live, &comparison);
    if differences.is_empty() {
        return line;
    }
    let all: Vec<String> = differences.into_iter().map(|one| one.pointer).collect();
    let trouble = format!(
        "it still differs at {}: fields of other managers were left",
        lines::places(&all)
    );
    lines::but(line, Code::ObjectExistsAndDiffers, &trouble)
}
