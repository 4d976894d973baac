//! Sets owner references whose owners came later than what they own, or each other.
//!
//! Runs after everything is applied, over the entries that have owners, and only when an owner was
//! missing before. Only objects that this job created are changed.

use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;
use strongroom_core::object::Owner;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectFacts};
use strongroom_kubernetes::apply as requests;
use strongroom_repository::Entry;

use super::plan::{self, Desire, Desired};
use super::sequence::Run;
use super::walk::Walk;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::APPLIES_IN_FLIGHT;
use crate::point::EntryFacts;
use crate::reporting::Report;

pub(super) async fn relink(walk: &Walk<'_>, report: &mut Report<'_>) -> Result<(), JobFailure> {
    if !walk.owners_missing() {
        return Ok(());
    }
    for run in &walk.opened.sequence.runs {
        let taken = walk.opened.selector.decide_type(&run.resource).included;
        if !taken || walk.applier.target.check(&run.resource).is_err() {
            continue;
        }
        let lines = walk
            .opened
            .point
            .entries(&run.group)
            // A damaged catalogue has had its line when it was walked.
            .take_while(|entry| std::future::ready(entry.is_ok()))
            .filter_map(|entry| std::future::ready(entry.ok().filter(is_owned)))
            .map(|entry| relink_one(walk, run, entry))
            .buffered(APPLIES_IN_FLIGHT)
            .flat_map(|outcome| {
                stream::iter(match outcome {
                    Ok(line) => line.map(Ok),
                    Err(error) => Some(Err(error)),
                })
            });
        let mut lines = std::pin::pin!(lines);
        while let Some(line) = lines.next().await {
            report.add(line?).await?;
        }
    }
    Ok(())
}

fn is_owned(entry: &Entry) -> bool {
    serde_json::from_slice::<EntryFacts>(&entry.meta).is_ok_and(|facts| facts.owned)
}

/// Links one object to its owners. A line only when something is amiss: that it was created is told
/// already.
async fn relink_one(
    walk: &Walk<'_>,
    run: &Run,
    entry: Entry,
) -> Result<Option<ObjectOutcome>, JobFailure> {
    let applier = &walk.applier;
    if !walk.takes(run, &entry).await? {
        return Ok(None);
    }
    let body = match walk.opened.point.read(&entry).await {
        Ok(body) => body,
        Err(error) if error.is_corrupt() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stored: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Desire::Restore(desired) = plan::desire(&run.resource, stored, &applier.spec.criteria)
    else {
        return Ok(None);
    };
    if desired.rule == Rule::HistoryAdopted {
        return Ok(None);
    }
    let Desired {
        object, prepared, ..
    } = *desired;
    let namespace = object.namespace.as_deref();
    let cluster = &applier.target.cluster;
    let live = match requests::get(cluster, &run.resource, namespace, &object.name).await {
        Ok(live) => live,
        Err(error) if is_unreachable(&error) => return Err(error.into()),
        Err(_) => None,
    };
    let Some(live) = live.filter(|live| applier.is_ours(live)) else {
        return Ok(None);
    };
    let linked = applier
        .owners
        .relink(&applier.target, &prepared.owners, namespace)
        .await?;
    if let Some(references) = linked.patch.filter(|patch| !is_set(run, &live, patch)) {
        let patched =
            requests::patch_merge(cluster, &run.resource, namespace, &object.name, &references)
                .await;
        match patched {
            Ok(_) => {}
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            Err(error) => {
                let reason = format!("its owner references were refused: {error}");
                let line = ObjectOutcome::new(object, Outcome::Unchanged, reason);
                return Ok(Some(line.with_code(Code::OwnerNotRestored)));
            }
        }
    }
    if linked.missing.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = linked.missing.iter().map(name).collect();
    let reason = format!("it was restored without its owner {}", names.join(", "));
    let line = ObjectOutcome::new(object, Outcome::Unchanged, reason);
    Ok(Some(line.with_code(Code::OwnerNotRestored)))
}

fn name(owner: &Owner) -> String {
    format!("{} {}", owner.kind, owner.name)
}

/// Whether the live object has just these owners.
fn is_set(run: &Run, live: &Value, patch: &Value) -> bool {
    ObjectFacts::of(&run.resource, live).owners == ObjectFacts::of(&run.resource, patch).owners
}
