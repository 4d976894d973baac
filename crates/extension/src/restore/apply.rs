//! Handles one entry: reads it, makes it ready, decides over it, and (in mode Apply) acts.
//!
//! Every act can be done again: a create that was carried out before is seen as such, patches and
//! status writes set what is set already.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::conflict::Action;
use strongroom_core::restore::mapping;
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::apply::{self as requests, Created, Written};
use strongroom_kubernetes::crd::{RestoreMode, RestoreSpec};
use strongroom_kubernetes::{ClusterError, FIELD_MANAGER, Failure};
use strongroom_repository::{Entry, Point};

use super::observe::Existing;
use super::owners::Owners;
use super::plan::{self, Desire, Desired};
use super::target::Target;
use crate::job::{Attempt, JobFailure, is_unreachable, object_code};
use crate::limits::{ESTABLISH_WAIT, NEW_TYPE_PAUSE, NEW_TYPE_TRIES};
use crate::point::object_of;

/// How often an object is looked at anew because it came or went in between.
const LOOKS: u32 = 4;

/// Handles entries. Shared by those in flight.
pub(super) struct Applier<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) spec: &'a RestoreSpec,
    pub(super) point: &'a Point,
    pub(super) target: Target,
    pub(super) owners: Owners,
    /// Whether an owner was not there (yet) when what it owns was created.
    pub(super) owners_missing: AtomicBool,
}

/// One entry to handle.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its place in the sequence.
    pub(super) position: u64,
    /// Its type.
    pub(super) resource: &'a ResourceType,
    /// Where its body is.
    pub(super) entry: Entry,
    /// What is known to exist under its name.
    pub(super) existing: Existing,
    /// Whether its namespace was made by this restore.
    pub(super) namespace_made: bool,
    /// Whether an earlier attempt may have written it.
    pub(super) in_doubt: bool,
    /// Why it cannot be restored, when that is known already.
    pub(super) blocked: Option<(Code, String)>,
}

/// What came of a create.
enum Creation {
    Made(Box<ObjectOutcome>),
    Exists,
}

impl Applier<'_> {
    /// Handles one entry. What goes wrong with it alone is its outcome.
    pub(super) async fn handle(&self, item: &Item<'_>) -> Result<ObjectOutcome, JobFailure> {
        let clock = &self.attempt.environment.clock;
        let began = clock.now();
        let line = self.outcome(item).await?;
        let millis = clock.now().duration_since(began).as_millis();
        Ok(line
            .with_bytes(item.entry.size)
            .with_millis(u64::try_from(millis).unwrap_or_default()))
    }

    async fn outcome(&self, item: &Item<'_>) -> Result<ObjectOutcome, JobFailure> {
        let criteria = &self.spec.criteria;
        let failed = |code: Code, reason: String| {
            let object = self.object(item);
            Ok(ObjectOutcome::new(object, Outcome::Failed, reason).with_code(code))
        };
        if let Some((code, reason)) = &item.blocked {
            return failed(*code, reason.clone());
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
        match plan::desire(item.resource, value, criteria) {
            Desire::Leave(object, rule) => {
                Ok(ObjectOutcome::new(object, Outcome::Skipped, rule.reason()))
            }
            Desire::Restore(desired) if self.spec.mode == RestoreMode::Validate => {
                self.foresee(item, *desired).await
            }
            Desire::Restore(desired) => self.act(item, *desired).await,
        }
    }

    /// The entry's object as it is called here.
    fn object(&self, item: &Item<'_>) -> ObjectRef {
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

    /// What would be done.
    async fn foresee(
        &self,
        item: &Item<'_>,
        desired: Desired,
    ) -> Result<ObjectOutcome, JobFailure> {
        let existing = match &item.existing {
            // The cluster puts a blank one into the namespace that the restore will have made.
            Existing::No if desired.rule == Rule::DefaultServiceAccountPatched => {
                let ObjectRef {
                    namespace, name, ..
                } = &desired.object;
                let metadata = json!({"namespace": namespace, "name": name});
                Some(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
            }
            Existing::No => None,
            Existing::Yes(live) => Some(live.clone()),
            Existing::Unknown => match self.get(item, &desired).await {
                Ok(live) => live,
                Err(error) => return self.refused(&desired, error),
            },
        };
        let action = plan::decide(
            &desired,
            &self.spec.criteria,
            item.namespace_made,
            existing.as_ref(),
        );
        let line =
            |outcome, reason: &str| ObjectOutcome::new(desired.object.clone(), outcome, reason);
        Ok(match action {
            Action::Create => self.without_its_data(
                item,
                &desired,
                line(Outcome::Created, "it does not exist and would be created"),
            ),
            Action::Unchanged => line(Outcome::Unchanged, UNCHANGED),
            Action::Patch => line(Outcome::Patched, "it exists, differs and would be patched"),
            Action::Adjust { reason, .. } => line(Outcome::Patched, reason),
            Action::Skip { reason } => {
                line(Outcome::Skipped, &reason).with_code(Code::ObjectExistsAndDiffers)
            }
            Action::AwaitDeletion => line(
                Outcome::Created,
                "it is being deleted and would be created once it is gone",
            )
            .with_code(Code::ObjectTerminating),
        })
    }

    async fn act(
        &self,
        item: &Item<'_>,
        mut desired: Desired,
    ) -> Result<ObjectOutcome, JobFailure> {
        let mut existing = match &item.existing {
            Existing::Yes(live) => Some(live.clone()),
            // When nothing is known, the create itself says whether it exists.
            Existing::No | Existing::Unknown => None,
        };
        for _ in 0..LOOKS {
            // The cluster makes this one too, at the same moment, and it may carry no manager.
            let may_be_ours = item.in_doubt && desired.rule != Rule::DefaultServiceAccountPatched;
            if let Some(live) = existing
                .as_ref()
                .filter(|live| may_be_ours && self.is_ours(live))
            {
                let line = created(&desired, "it was created by an earlier attempt of this job");
                return self.complete(item, &desired, live, line).await;
            }
            let criteria = &self.spec.criteria;
            match plan::decide(&desired, criteria, item.namespace_made, existing.as_ref()) {
                Action::Create => match self.create(item, &mut desired).await? {
                    Creation::Made(line) => return Ok(*line),
                    Creation::Exists => match self.get(item, &desired).await {
                        Ok(live) => existing = live,
                        Err(error) => return self.refused(&desired, error),
                    },
                },
                Action::Unchanged => return Ok(self.unchanged(item, &desired, existing.as_ref())),
                Action::Patch => return self.patch(item, &desired).await,
                Action::Adjust { patch, reason } => {
                    return self.adjust(item, &desired, &patch, reason).await;
                }
                Action::Skip { reason } => {
                    let line = ObjectOutcome::new(desired.object, Outcome::Skipped, reason);
                    return Ok(line.with_code(Code::ObjectExistsAndDiffers));
                }
                Action::AwaitDeletion => match self.await_deletion(item, &desired).await {
                    Ok(()) => existing = None,
                    Err(error) => {
                        return Ok(failed(&desired, Code::ObjectTerminating, error.to_string()));
                    }
                },
            }
        }
        let reason = "somebody else creates and deletes it at the same time".to_owned();
        Ok(failed(&desired, Code::Conflict, reason))
    }

    fn unchanged(&self, item: &Item<'_>, desired: &Desired, live: Option<&Value>) -> ObjectOutcome {
        let object = desired.object.clone();
        let since = self.attempt.created;
        if item.in_doubt && live.is_some_and(|live| wrote(live, Some("Apply"), since)) {
            let reason = "it was patched by an earlier attempt of this job";
            return ObjectOutcome::new(object, Outcome::Patched, reason);
        }
        ObjectOutcome::new(object, Outcome::Unchanged, UNCHANGED)
    }

    async fn create(&self, item: &Item<'_>, desired: &mut Desired) -> Result<Creation, JobFailure> {
        // Some owners find what is theirs by themselves and set the reference.
        if desired.rule != Rule::HistoryAdopted && !desired.prepared.owners.is_empty() {
            let namespace = desired.object.namespace.as_deref();
            let owners = &desired.prepared.owners;
            let linked = self.owners.relink(&self.target, owners, namespace).await?;
            if let Some(references) = &linked.patch {
                plan::merge(&mut desired.value, references);
            }
            if !linked.missing.is_empty() {
                self.owners_missing.store(true, Ordering::Relaxed);
            }
        }
        let mut line = self.without_its_data(item, desired, created(desired, "it did not exist"));
        let mut outcome = self.post(item, &desired.value).await;
        // The API server names one taken value at a time, so what it refuses is dropped in turn.
        let mut dropped = Vec::new();
        while let Err(ClusterError {
            failure: Failure::Invalid { causes, .. },
            ..
        }) = &outcome
        {
            let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
            let more = desired.prepared.relax(&mut desired.value, &fields);
            if more.is_empty() {
                break;
            }
            dropped.extend(more);
            outcome = self.post(item, &desired.value).await;
        }
        if !dropped.is_empty() {
            let fields = dropped.join(", ");
            line.reason =
                format!("it did not exist; the cluster chose anew what is taken here: {fields}");
            line = line.with_code(Code::ClusterAssignedValueTaken);
        }
        match outcome {
            Ok(Created::AlreadyExists) => Ok(Creation::Exists),
            Ok(Created::New(Written { object, warnings })) => {
                let line = without_unknown(line, &warnings);
                let line = self.complete(item, desired, &object, line).await?;
                Ok(Creation::Made(Box::new(line)))
            }
            Err(error) => self
                .refused(desired, error)
                .map(|line| Creation::Made(Box::new(line))),
        }
    }

    /// The same outcome, with a warning for a claim that will be bound to a new, empty volume although
    /// its data were asked for.
    fn without_its_data(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        line: ObjectOutcome,
    ) -> ObjectOutcome {
        let claim = item.resource.is("", "PersistentVolumeClaim");
        let names_a_volume = desired.value.pointer("/spec/volumeName").is_some();
        if claim && !names_a_volume && self.spec.criteria.restore_volumes {
            let trouble = "the recovery point does not hold its data: its volume is new and empty";
            return but(line, Code::VolumeDataNotProtected, trouble);
        }
        line
    }

    /// POST; a type that was made a moment ago may not be served by every API server yet.
    async fn post(&self, item: &Item<'_>, value: &Value) -> Result<Created, ClusterError> {
        let mut tries = 0;
        loop {
            let outcome = requests::create(&self.target.cluster, item.resource, value).await;
            tries += 1;
            match &outcome {
                Err(error)
                    if error.is_not_found()
                        && item.resource.is_custom()
                        && object_code(&error.failure) == Code::ResourceTypeNotServed
                        && tries < NEW_TYPE_TRIES =>
                {
                    tokio::time::sleep(NEW_TYPE_PAUSE).await;
                }
                _ => return outcome,
            }
        }
    }

    /// What follows a create: status, release, and the wait for what others need.
    async fn complete(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        live: &Value,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let (cluster, kind) = (&self.target.cluster, item.resource);
        let (namespace, name) = (
            desired.object.namespace.as_deref(),
            desired.object.name.as_str(),
        );
        if let Some(status) = &desired.prepared.status
            && live.get("status") != Some(status)
        {
            let written = requests::patch_status(cluster, kind, namespace, name, status).await;
            match written {
                Ok(_) => {}
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => {
                    let code = if desired.prepared.release.is_some() {
                        Code::FinishedJobStatusRefused
                    } else {
                        Code::KubernetesBackupGenericWarning
                    };
                    return Ok(but(line, code, &format!("its status was refused: {error}")));
                }
            }
        }
        if let Some(release) = &desired.prepared.release {
            let released = requests::patch_merge(cluster, kind, namespace, name, release).await;
            match released {
                Ok(_) => {}
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => {
                    let trouble = format!("it could not be released: {error}");
                    return Ok(but(line, Code::FinishedJobStatusRefused, &trouble));
                }
            }
        }
        if kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
            && let Err(error) = requests::wait_established(cluster, name, ESTABLISH_WAIT).await
        {
            let trouble = format!("it is not established: {error}");
            return Ok(but(line, Code::KubernetesBackupGenericWarning, &trouble));
        }
        Ok(line)
    }

    async fn patch(&self, item: &Item<'_>, desired: &Desired) -> Result<ObjectOutcome, JobFailure> {
        let mut value = desired.value.clone();
        // What the cluster assigned to the existing object cannot be changed.
        desired.prepared.relax(&mut value, &[]);
        let cluster = &self.target.cluster;
        let mut outcome =
            requests::patch_apply(cluster, item.resource, &value, FIELD_MANAGER, true).await;
        // Lists with doubled keys are legal objects, but server-side apply cannot merge them.
        if let Err(ClusterError { failure, .. }) = &outcome
            && failure.to_string().contains("typed patch object")
        {
            let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
            outcome = requests::patch_merge(cluster, item.resource, namespace, name, &value).await;
        }
        match outcome {
            Ok(written) => {
                let object = desired.object.clone();
                let line = ObjectOutcome::new(object, Outcome::Patched, "it existed and differed");
                Ok(without_unknown(line, &written.warnings))
            }
            Err(error) => self.refused(desired, error),
        }
    }

    async fn adjust(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        patch: &Value,
        reason: &str,
    ) -> Result<ObjectOutcome, JobFailure> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let cluster = &self.target.cluster;
        match requests::patch_merge(cluster, item.resource, namespace, name, patch).await {
            Ok(_) => Ok(ObjectOutcome::new(
                desired.object.clone(),
                Outcome::Patched,
                reason,
            )),
            Err(error) => self.refused(desired, error),
        }
    }

    async fn get(&self, item: &Item<'_>, desired: &Desired) -> Result<Option<Value>, ClusterError> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        requests::get(&self.target.cluster, item.resource, namespace, name).await
    }

    async fn await_deletion(&self, item: &Item<'_>, desired: &Desired) -> Result<(), ClusterError> {
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let limit = self.attempt.environment.namespace_gone_wait;
        requests::wait_gone(&self.target.cluster, item.resource, namespace, name, limit).await
    }

    /// Whether an object was created by an attempt at this job: it is no older than the job (both
    /// times are the API server's) and our field manager wrote it. An object without any field of its
    /// own has no managers; then its age alone decides.
    pub(super) fn is_ours(&self, live: &Value) -> bool {
        let metadata = &live["metadata"];
        let created: Option<Timestamp> = metadata["creationTimestamp"]
            .as_str()
            .and_then(|time| time.parse().ok());
        let unmanaged = metadata["managedFields"]
            .as_array()
            .is_none_or(Vec::is_empty);
        created.is_some_and(|created| created >= self.attempt.created)
            && (unmanaged || wrote(live, None, self.attempt.created))
    }

    /// The outcome of an object that the API server refused, or the end of the attempt when the API
    /// server as a whole does not answer.
    fn refused(&self, desired: &Desired, error: ClusterError) -> Result<ObjectOutcome, JobFailure> {
        if is_unreachable(&error) || matches!(error.failure, Failure::Unauthorized { .. }) {
            return Err(error.into());
        }
        Ok(failed(
            desired,
            object_code(&error.failure),
            error.to_string(),
        ))
    }
}

const UNCHANGED: &str = "it exists as the recovery point holds it";

fn created(desired: &Desired, reason: &str) -> ObjectOutcome {
    ObjectOutcome::new(desired.object.clone(), Outcome::Created, reason)
}

fn failed(desired: &Desired, code: Code, reason: String) -> ObjectOutcome {
    ObjectOutcome::new(desired.object.clone(), Outcome::Failed, reason).with_code(code)
}

/// The same outcome with a warning.
fn but(mut line: ObjectOutcome, code: Code, trouble: &str) -> ObjectOutcome {
    line.reason = format!("{}, but {trouble}", line.reason);
    line.with_code(code)
}

/// The same outcome, with a warning when the API server dropped fields that it does not know: it takes
/// such an object and says so in a header only.
/// Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>
fn without_unknown(line: ObjectOutcome, warnings: &[String]) -> ObjectOutcome {
    let unknown = plan::unknown_fields(warnings);
    if unknown.is_empty() {
        return line;
    }
    let trouble = format!("the cluster does not know and left out {unknown}");
    but(line, Code::ObjectInvalidInTarget, &trouble)
}

/// Whether our field manager wrote an object (by this operation) since a time.
fn wrote(live: &Value, operation: Option<&str>, since: Timestamp) -> bool {
    live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|entry| {
            let time: Option<Timestamp> = entry["time"].as_str().and_then(|time| time.parse().ok());
            entry["manager"] == FIELD_MANAGER
                && operation.is_none_or(|operation| entry["operation"] == operation)
                && time.is_none_or(|time| time >= since)
        })
}
