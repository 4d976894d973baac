//! The namespaces that objects go into: there before the first object is, made when they are not.
//!
//! A namespace that the selection takes is an entry like any other. One that it does not take (it is
//! only carried along for its objects, or objects of the cluster's scope are switched off) is made
//! when the first of its objects comes: as the recovery point holds it, else bare.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::mapping;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::apply::{self as requests, Created};
use strongroom_kubernetes::crd::RestoreMode;

use super::apply::{Applier, Item};
use super::observe::Existing;
use super::sequence::Sequence;
use crate::job::{JobFailure, is_unreachable, object_code};

/// What is known of a namespace: whether this restore made it, or why nothing can be put into it.
pub(super) type Known = Result<bool, (Code, String)>;

/// The namespaces of the cluster that were looked at. Their number is that of a cluster's
/// namespaces, which do not grow with its objects.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    known: BTreeMap<String, Known>,
}

fn kind() -> ResourceType {
    ResourceType::new("", "v1", "Namespace", "namespaces", false)
}

impl Namespaces {
    /// Notes what became of a namespace that was an entry.
    pub(super) fn note(&mut self, line: &ObjectOutcome) {
        if line.object.kind == "Namespace" && line.object.group.is_empty() {
            match line.outcome {
                Outcome::Created => {
                    self.known.insert(line.object.name.clone(), Ok(true));
                }
                Outcome::Patched | Outcome::Unchanged => {
                    self.known.insert(line.object.name.clone(), Ok(false));
                }
                // It is looked at when an object goes into it.
                Outcome::Skipped | Outcome::Failed | Outcome::BackedUp => {}
            }
        }
    }

    /// Sees to it that objects of the namespace `source` can be put where they go. Returns what is
    /// known, and a line of the report when the namespace had to be made.
    pub(super) async fn ensure(
        &mut self,
        applier: &Applier<'_>,
        sequence: &Sequence,
        source: &str,
    ) -> Result<(Known, Option<ObjectOutcome>), JobFailure> {
        let target = mapping::target(source, &applier.spec.criteria.namespace_mappings);
        if let Some(known) = self.known.get(target) {
            return Ok((known.clone(), None));
        }
        let (known, line) = look(applier, sequence, source, target).await?;
        self.known.insert(target.to_owned(), known.clone());
        Ok((known, line))
    }
}

async fn look(
    applier: &Applier<'_>,
    sequence: &Sequence,
    source: &str,
    target: &str,
) -> Result<(Known, Option<ObjectOutcome>), JobFailure> {
    let cluster = &applier.target.cluster;
    let live = match requests::get(cluster, &kind(), None, target).await {
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
        if let Err(error) = requests::wait_gone(cluster, &kind(), None, target, limit).await {
            return Ok((Err((Code::NamespaceTerminating, error.to_string())), None));
        }
    }
    let line = make(applier, sequence, source, target).await?;
    let known = match (line.outcome, &line.code) {
        (Outcome::Failed, Some(code)) => Err((
            Code::parse(code).unwrap_or(Code::KubernetesBackupGenericWarning),
            line.reason.clone(),
        )),
        (outcome, _) => Ok(outcome == Outcome::Created),
    };
    Ok((known, Some(line)))
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
        };
        return applier.handle(&item).await;
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
    match requests::create(&applier.target.cluster, &kind(), &bare).await {
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
