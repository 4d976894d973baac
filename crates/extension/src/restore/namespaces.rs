//! The namespaces that objects go into: there before the first object is, made when they are not.
//!
//! A namespace that the selection takes is an entry like any other. One that it does not take (it is
//! only carried along for its objects, or objects of the cluster's scope are switched off) is made
//! when the first of its objects comes: as the recovery point holds it, else bare.
//!
//! Which namespaces exist is asked once, for all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, pin_mut};
use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::mapping;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::apply::{self as requests, Created};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::RestoreMode;

use super::apply::Applier;
use super::item::Item;
use super::observe::Existing;
use super::plan::{self, Desire, Desired};
use super::sequence::Sequence;
use crate::job::{JobFailure, is_unreachable, object_code};

/// What is known of a namespace: whether this restore made it, or why nothing can be put into it.
pub(super) type Known = Result<bool, (Code, String)>;

/// A namespace that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    terminating: bool,
    ours: bool,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those that existed when the restore began; none when they could not be listed.
    found: Option<BTreeMap<String, Seen>>,
    known: BTreeMap<String, Known>,
}

/// The namespaces of the cluster. Their number does not grow with its objects.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    inner: Mutex<Inner>,
}

fn kind() -> ResourceType {
    ResourceType::new("", "v1", "Namespace", "namespaces", false)
}

impl Namespaces {
    /// Lists those that exist.
    pub(super) async fn look_around(&self, applier: &Applier<'_>) -> Result<(), JobFailure> {
        let collector = Collector::with_defaults(applier.attempt.environment.cluster.clone());
        let kind = kind();
        let pages = collector.pages(&kind, None, None, None);
        pin_mut!(pages);
        let mut found = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let items = match page {
                Ok(page) => page.items,
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                // Each is asked for by itself then.
                Err(_) => return Ok(()),
            };
            for item in items {
                let live: Value = item.raw.json().unwrap_or_default();
                let seen = Seen {
                    terminating: item.facts.terminating,
                    ours: applier.is_ours(&live),
                };
                found.insert(item.facts.object.name, seen);
            }
        }
        self.inner().found = Some(found);
        Ok(())
    }

    /// What is known of the Namespace object of this name.
    pub(super) fn existing(&self, name: &str) -> Existing {
        match &self.inner().found {
            Some(found) if !found.contains_key(name) => Existing::No,
            _ => Existing::Unknown,
        }
    }

    /// Whether this job made the namespace, as far as is known.
    fn is_made(&self, name: &str) -> bool {
        let inner = self.inner();
        let found = inner.found.as_ref().and_then(|found| found.get(name));
        inner
            .known
            .get(name)
            .is_some_and(|known| *known == Ok(true))
            || found.is_some_and(|seen| seen.ours)
    }

    /// Notes what became of a namespace that was an entry.
    pub(super) fn note(&self, line: &ObjectOutcome) {
        if line.object.kind == "Namespace" && line.object.group.is_empty() {
            let known = match line.outcome {
                Outcome::Created => Ok(true),
                Outcome::Patched | Outcome::Unchanged => Ok(false),
                // It is looked at when an object goes into it.
                Outcome::Skipped | Outcome::Failed | Outcome::BackedUp | Outcome::Ran => return,
            };
            self.inner().known.insert(line.object.name.clone(), known);
        }
    }

    /// Sees to it that objects of the namespace `source` can be put where they go. Returns what is
    /// known, and a line of the report when the namespace had to be made.
    pub(super) async fn ensure(
        &self,
        applier: &Applier<'_>,
        sequence: &Sequence,
        source: &str,
    ) -> Result<(Known, Option<ObjectOutcome>), JobFailure> {
        let target = mapping::target(source, &applier.spec.criteria.namespace_mappings);
        let seen = {
            let inner = self.inner();
            if let Some(known) = inner.known.get(target) {
                return Ok((known.clone(), None));
            }
            let found = inner.found.as_ref();
            found.map(|found| found.get(target).copied())
        };
        let (known, line) = match seen {
            Some(Some(Seen {
                terminating: false,
                ours,
            })) => (Ok(ours), None),
            Some(None) => made(make(applier, sequence, source, target).await?),
            Some(Some(_)) | None => look(applier, sequence, source, target).await?,
        };
        self.inner().known.insert(target.to_owned(), known.clone());
        Ok((known, line))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finishes the namespaces that this job made, now that all that they constrain is there: what they
/// enforce, and who owns their fields. Can be done again. What is refused is told.
pub(super) async fn finish(applier: &Applier<'_>) -> Result<Vec<ObjectOutcome>, JobFailure> {
    let mut lines = Vec::new();
    let Some(run) = applier.opened.sequence.run_of("", "Namespace") else {
        return Ok(lines);
    };
    let mappings = &applier.spec.criteria.namespace_mappings;
    let mut entries = applier.point.entries(&run.group);
    while let Some(entry) = entries.next().await {
        let entry = match entry {
            Ok(entry) => entry,
            // It has had its line.
            Err(error) if error.is_corrupt() => return Ok(lines),
            Err(error) => return Err(error.into()),
        };
        if !applier
            .namespaces
            .is_made(mapping::target(&entry.name, mappings))
        {
            continue;
        }
        let body = match applier.point.read(&entry).await {
            Ok(body) => body,
            Err(error) if error.is_corrupt() => continue,
            Err(error) => return Err(error.into()),
        };
        let stored: Value = serde_json::from_slice(&body).unwrap_or_default();
        let now = applier.attempt.created;
        let desire = plan::desire(&run.resource, stored, &applier.spec.criteria, now);
        if let Desire::Restore(desired) = desire {
            lines.extend(finish_one(applier, *desired).await?);
        }
    }
    Ok(lines)
}

async fn finish_one(
    applier: &Applier<'_>,
    desired: Desired,
) -> Result<Option<ObjectOutcome>, JobFailure> {
    let (cluster, kind, name) = (&applier.calls.cluster, kind(), &desired.object.name);
    for patch in desired.prepared.last_patches() {
        let write = || requests::patch_merge(cluster, &kind, None, name, &patch);
        match applier.calls.send(write).await.outcome {
            Ok(_) => {}
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            Err(error) => {
                let code = object_code(&error.failure);
                let reason = format!("what it enforces could not be set: {error}");
                let line = ObjectOutcome::new(desired.object, Outcome::Failed, reason);
                return Ok(Some(line.with_code(code)));
            }
        }
    }
    Ok(None)
}

async fn look(
    applier: &Applier<'_>,
    sequence: &Sequence,
    source: &str,
    target: &str,
) -> Result<(Known, Option<ObjectOutcome>), JobFailure> {
    let cluster = &applier.calls.cluster;
    let kind = kind();
    let asked = || requests::get(cluster, &kind, None, target);
    let live = match applier.calls.send(asked).await.outcome {
        Ok(live) => live,
        Err(error) if is_unreachable(&error) => return Err(error.into()),
        Err(error) => {
            return Ok((Err((object_code(&error.failure), error.to_string())), None));
        }
    };
    if let Some(live) = live {
        if !live["metadata"]["deletionTimestamp"].is_string() {
            return Ok((Ok(applier.is_ours(&live)), None));
        }
        let limit = applier.attempt.environment.namespace_gone_wait;
        if applier.spec.mode == RestoreMode::Validate {
            let reason = format!("namespace {target} is being deleted");
            return Ok((Err((Code::NamespaceTerminating, reason)), None));
        }
        if let Err(error) =
            requests::wait_gone(&applier.target.cluster, &kind, None, target, limit).await
        {
            return Ok((Err((Code::NamespaceTerminating, error.to_string())), None));
        }
    }
    Ok(made(make(applier, sequence, source, target).await?))
}

/// What a namespace that was made is known as.
fn made(line: ObjectOutcome) -> (Known, Option<ObjectOutcome>) {
    let known = match (line.outcome, &line.code) {
        (Outcome::Failed, Some(code)) => Err((
            Code::parse(code).unwrap_or(Code::KubernetesBackupGenericWarning),
            line.reason.clone(),
        )),
        (outcome, _) => Ok(outcome == Outcome::Created),
    };
    (known, Some(line))
}

/// Makes the namespace: as the recovery point holds it, else bare.
async fn make(
    applier: &Applier<'_>,
    sequence: &Sequence,
    source: &str,
    target: &str,
) -> Result<ObjectOutcome, JobFailure> {
    if let Some(run) = sequence.run_of("", "Namespace")
        && let Some(entry) = applier.point.find(&run.group, source).await?
    {
        let item = Item {
            position: run.first,
            resource: &run.resource,
            entry,
            existing: Existing::No,
            namespace_made: false,
            in_doubt: true,
            blocked: None,
            awaits: None,
            last: true,
            owners_came: true,
        };
        return applier.handle(&item).await.map(|told| told.line);
    }
    let object = ObjectRef::new(&kind(), None, target);
    let line = ObjectOutcome::new(
        object,
        Outcome::Created,
        "objects go into it, and the recovery point does not hold it",
    );
    if applier.spec.mode == RestoreMode::Validate {
        return Ok(line);
    }
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target}});
    let kind = kind();
    let create = || requests::create(&applier.calls.cluster, &kind, &bare);
    match applier.calls.send(create).await.outcome {
        Ok(Created::New(_)) => Ok(line),
        Ok(Created::AlreadyExists) => Ok(ObjectOutcome {
            outcome: Outcome::Unchanged,
            ..line
        }),
        Err(error) if is_unreachable(&error) => Err(error.into()),
        Err(error) => {
            let code = object_code(&error.failure);
            let line = ObjectOutcome {
                outcome: Outcome::Failed,
                reason: error.to_string(),
                ..line
            };
            Ok(line.with_code(code))
        }
    }
}
