//! What can be said of a restore as a whole before or after its plan is walked: filters that match
//! nothing, rights that the extension lacks, quotas that are too small.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::ConflictPolicy;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::access::{self, Permission};
use strongroom_kubernetes::collect::Collector;

use futures::{StreamExt as _, pin_mut};

use super::apply::Applier;
use super::open::Opened;
use super::sequence::Sequence;
use crate::job::{JobFailure, is_unreachable};

/// The criteria that match nothing in the recovery point, as findings.
pub(super) async fn matches_nothing(opened: &Opened) -> Result<Vec<ObjectOutcome>, JobFailure> {
    let mut lines = Vec::new();
    let types: Vec<ResourceType> = opened
        .sequence
        .runs
        .iter()
        .map(|run| run.resource.clone())
        .collect();
    for filter in opened.selector.unmatched_types(&types) {
        let object = ObjectRef {
            group: String::new(),
            version: String::new(),
            kind: filter.to_string(),
            namespace: None,
            name: "*".to_owned(),
        };
        let reason = "the recovery point has no such type";
        let line = ObjectOutcome::new(object, Outcome::Skipped, reason);
        lines.push(line.with_code(Code::ResourceTypeFilterMatchesNothing));
    }
    let kind = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    for name in opened.selector.chosen_namespaces().into_iter().flatten() {
        if !holds_namespace(opened, name).await? {
            let object = ObjectRef::new(&kind, None, name);
            let reason =
                "the restore names this namespace, but the recovery point does not hold it";
            let line = ObjectOutcome::new(object, Outcome::Skipped, reason);
            lines.push(line.with_code(Code::UserErrorNamespaceNotFound));
        }
    }
    Ok(lines)
}

/// Whether a recovery point holds a namespace. A backup takes the Namespace of whatever it takes.
pub(super) async fn holds_namespace(opened: &Opened, name: &str) -> Result<bool, JobFailure> {
    let Some(run) = opened.sequence.run_of("", "Namespace") else {
        return Ok(false);
    };
    Ok(opened.point.find(&run.group, name).await?.is_some())
}

/// The types of the recovery point that the extension may not write, with the reason. One question for
/// each right that a wide role answers at once; one for each type only when it does not.
pub(super) async fn forbidden(
    applier: &Applier<'_>,
) -> Result<BTreeMap<String, String>, JobFailure> {
    let patches = applier.spec.criteria.conflict_policy == ConflictPolicy::Patch;
    let verbs: &[&str] = if patches {
        &["get", "list", "create", "patch"]
    } else {
        &["get", "list", "create"]
    };
    let cluster = &applier.target.cluster;
    let all: Vec<Permission> = verbs
        .iter()
        .map(|verb| Permission::cluster_wide(verb, "*", "*"))
        .collect();
    let mut missing = asked(access::review(cluster, &all).await)?;
    if missing.is_empty() {
        return Ok(BTreeMap::new());
    }
    let opened = applier.opened;
    let runs = opened.sequence.runs.iter();
    let each: Vec<Permission> = runs
        .filter(|run| opened.selector.decide_type(&run.resource).included)
        .flat_map(|run| {
            let resource = &run.resource;
            let right =
                |verb: &&str| Permission::cluster_wide(verb, &resource.group, &resource.plural);
            verbs.iter().map(right)
        })
        .collect();
    missing = asked(access::review(cluster, &each).await)?;
    let mut forbidden = BTreeMap::new();
    for one in missing {
        let Permission {
            group, resource, ..
        } = &one.permission;
        let name = ResourceType::new(group, "", "", resource, true).resource();
        let reason = format!(
            "the extension may not do it; it would take {}",
            one.permission
        );
        forbidden.entry(name).or_insert(reason);
    }
    Ok(forbidden)
}

/// A question that the API server does not answer brings no finding.
fn asked(
    answer: Result<Vec<access::Missing>, strongroom_kubernetes::ClusterError>,
) -> Result<Vec<access::Missing>, JobFailure> {
    match answer {
        Ok(missing) => Ok(missing),
        Err(error) if is_unreachable(&error) => Err(error.into()),
        Err(_) => Ok(Vec::new()),
    }
}

/// Where more objects would be created than a quota of the cluster has room for, as findings on the
/// type in that namespace.
pub(super) async fn beyond_quotas(applier: &Applier<'_>) -> Result<Vec<ObjectOutcome>, JobFailure> {
    let wanted = {
        let trials = applier
            .trials
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        trials.created().clone()
    };
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let kind = ResourceType::new("", "v1", "ResourceQuota", "resourcequotas", true);
    let collector = Collector::with_defaults(applier.target.cluster.clone());
    let pages = collector.pages(&kind, None, None, None);
    pin_mut!(pages);
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            Err(_) => break,
        };
        for item in page.items {
            let quota: Value = item.raw.json().unwrap_or_default();
            lines.extend(beyond(&applier.opened.sequence, &quota, &wanted));
        }
    }
    Ok(lines)
}

/// What a quota has no room for. Quotas on the number of objects only: what pods request is known when
/// they are made.
/// Source: <https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-on-object-count>
fn beyond(
    sequence: &Sequence,
    quota: &Value,
    wanted: &BTreeMap<(String, String), u64>,
) -> Vec<ObjectOutcome> {
    let metadata = &quota["metadata"];
    let (namespace, name) = (
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"].as_str().unwrap_or_default(),
    );
    let count = |field: &str, of: &str| -> Option<u64> {
        quota.pointer(&format!("/status/{field}"))?[of]
            .as_str()?
            .parse()
            .ok()
    };
    let hard = quota.pointer("/status/hard").and_then(Value::as_object);
    let mut lines = Vec::new();
    for of in hard.into_iter().flat_map(serde_json::Map::keys) {
        // `count/deployments.apps`, `count/configmaps`, and the old `configmaps`.
        let resource = of.strip_prefix("count/").unwrap_or(of);
        let key = (namespace.to_owned(), resource.to_owned());
        let (Some(wanted), Some(hard)) = (wanted.get(&key), count("hard", of)) else {
            continue;
        };
        let left = hard.saturating_sub(count("used", of).unwrap_or_default());
        let run = sequence
            .runs
            .iter()
            .find(|run| run.resource.resource() == resource);
        if let (true, Some(run)) = (*wanted > left, run) {
            let object = ObjectRef::new(&run.resource, Some(namespace), "*");
            let reason = format!(
                "{wanted} would be created, but the quota {name} has room for {left} ({of}: {hard})"
            );
            let line = ObjectOutcome::new(object, Outcome::Skipped, reason);
            lines.push(line.with_code(Code::QuotaExceeded));
        }
    }
    lines
}
