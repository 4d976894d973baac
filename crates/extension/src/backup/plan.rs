//! Decides which types are read, and how. Pure.

use std::collections::BTreeSet;

use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::related::run_name;
use strongroom_core::selection::{Rule, Selector};
use strongroom_core::{Code, ObjectRef, Problem, ResourceType};
use strongroom_kubernetes::crd::BackupSpec;

use super::discover::Found;
use super::trouble::{Trouble, judge_knowing};
use crate::job::JobFailure;
use crate::limits::NAMESPACES_LISTED_ALONE;
use crate::reporting::line_on_type;

/// What a backup is going to read.
#[derive(Debug)]
pub(super) struct Plan {
    /// Decides over each object.
    pub(super) selector: Selector,
    /// Types to read, in the order in which they are begun.
    pub(super) types: Vec<ResourceType>,
    /// Types of the cluster's own scope of which only what something taken needs is taken: read behind
    /// all others, in the order of their runs.
    pub(super) related: Vec<ResourceType>,
    /// Chosen namespaces, when each is to be listed by itself, in the order of their objects.
    pub(super) namespaces: Option<Vec<String>>,
    /// What is known already: types that are not read, and why.
    pub(super) lines: Vec<ObjectOutcome>,
}

pub(super) fn plan(spec: &BackupSpec, found: &Found) -> Result<Plan, JobFailure> {
    let selector = spec.selection.compile().map_err(Problem::from)?;
    let selector = selector.without_namespaces(found.opted_out.clone());
    let mut types = Vec::new();
    let mut related = Vec::new();
    let mut lines = Vec::new();
    for resource in &found.discovery.types {
        let decision = selector.decide_type(resource);
        if decision.rule == Rule::TakenWhenNeeded {
            related.push(resource.clone());
        } else if decision.included {
            types.push(resource.clone());
        } else {
            lines.push(line_on_type(
                resource,
                Outcome::Skipped,
                decision.rule.reason(),
            ));
        }
    }
    for resource in found.discovery.listed_only() {
        let decision = selector.decide_type(&resource);
        let wanted = decision.included || decision.rule == Rule::TakenWhenNeeded;
        let rule = decision.rule.reason();
        let reason = if wanted { LISTED_ONLY } else { rule };
        lines.push(line_on_type(&resource, Outcome::Skipped, reason));
    }
    types.sort_by_cached_key(|resource| (rank(resource), resource.resource()));
    related.sort_by_key(|resource| run_name(resource, true));
    for broken in &found.discovery.broken {
        let resource = ResourceType::new(&broken.group, &broken.version, "*", "*", true);
        let rule = selector.decide_type(&resource).rule;
        if !matches!(
            rule,
            Rule::AggregatedMetrics | Rule::AccessReviewIsAQuestion
        ) {
            let reason = format!("{}/{}: {}", broken.group, broken.version, broken.cause);
            let line = line_on_type(&resource, Outcome::Failed, reason);
            lines.push(line.with_code(Code::ApiGroupUnavailable));
        }
    }
    lines.extend(guessed(&selector, found));
    for filter in selector.unmatched_types(&found.discovery.types) {
        let object = ObjectRef {
            group: String::new(),
            version: String::new(),
            kind: filter.to_string(),
            namespace: None,
            name: "*".to_owned(),
        };
        let line = ObjectOutcome::new(object, Outcome::Skipped, "the cluster serves no such type");
        lines.push(line.with_code(Code::ResourceTypeFilterMatchesNothing));
    }
    let namespaces = listed_alone(&selector);
    Ok(Plan {
        selector,
        types,
        related,
        namespaces,
        lines,
    })
}

/// A finding for each type that is read although nobody could say in which version it is stored.
fn guessed(selector: &Selector, found: &Found) -> Vec<ObjectOutcome> {
    let mut lines = Vec::new();
    for (resource, error) in &found.guessed {
        let decision = selector.decide_type(resource);
        if decision.included || decision.rule == Rule::TakenWhenNeeded {
            let reason = format!(
                "it is read as {}, which may lack fields that are stored: {error}",
                resource.version
            );
            // That the cluster answers was seen by its discovery.
            let code = match judge_knowing(resource, &error.failure, true) {
                Trouble::Finding(code) => code,
                Trouble::Attempt => Code::UserErrorClusterAuthenticationFailed,
            };
            let line = line_on_type(resource, Outcome::Skipped, reason);
            lines.push(line.with_code(code));
        }
    }
    lines
}

/// Why a type is not read that can be listed and no more: what a restore makes of an object depends on
/// the one that is there, which it has to read.
const LISTED_ONLY: &str = "the cluster lists its objects but does not show one by itself, \
                           so they could not be restored";

/// Types of which clusters hold the most objects, the largest first. A type is read page after page, so
/// the largest decides how long a backup takes, and it must not be begun last.
const LARGEST: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Secret"),
    ("apps", "Deployment"),
    ("", "Pod"),
    ("apps", "ReplicaSet"),
    ("", "Service"),
];

/// The place of a type among those that are begun: the usually large ones, then custom types, which may
/// be of any size, then all others.
fn rank(resource: &ResourceType) -> usize {
    let large = LARGEST
        .iter()
        .position(|(group, kind)| resource.is(group, kind));
    large.unwrap_or(LARGEST.len() + usize::from(!resource.is_custom()))
}

/// The chosen namespaces when they are few. The API server sorts by `namespace/name`, so `a-b/x`
/// comes before `a/x`: they are sorted with the slash.
fn listed_alone(selector: &Selector) -> Option<Vec<String>> {
    let mut chosen: Vec<String> = selector.chosen_namespaces()?.map(str::to_owned).collect();
    if chosen.len() > NAMESPACES_LISTED_ALONE {
        return None;
    }
    chosen.sort_by_key(|namespace| format!("{namespace}/"));
    Some(chosen)
}

/// The chosen namespaces that are not among those that exist, as findings.
pub(super) fn absent_namespaces(
    selector: &Selector,
    seen: &BTreeSet<String>,
) -> Vec<ObjectOutcome> {
    let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    selector
        .chosen_namespaces()
        .into_iter()
        .flatten()
        .filter(|name| !seen.contains(*name))
        .map(|name| {
            let reason = "the configuration names this namespace, but it does not exist";
            ObjectOutcome::new(
                ObjectRef::new(&namespaces, None, name),
                Outcome::Skipped,
                reason,
            )
            .with_code(Code::UserErrorNamespaceNotFound)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::selection::Selection;
    use strongroom_kubernetes::crd::BackupMode;
    use strongroom_kubernetes::discovery::{Discovery, ServedType};
    use uuid::Uuid;

    use crate::point::ClusterFacts;

    fn selector(namespaces: &[&str]) -> Selector {
        let included = namespaces.iter().map(|name| (*name).to_owned()).collect();
        Selection {
            included_namespaces: Some(included),
            ..Selection::default()
        }
        .compile()
        .unwrap()
    }

    #[test]
    fn few_namespaces_are_listed_alone_in_the_order_of_their_objects() {
        assert_eq!(
            listed_alone(&selector(&["a", "a-b"])).unwrap(),
            ["a-b", "a"]
        );
        let names: Vec<String> = (0..=NAMESPACES_LISTED_ALONE)
            .map(|n| format!("n{n}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(listed_alone(&selector(&names)), None);
        assert_eq!(listed_alone(&Selection::default().compile().unwrap()), None);
    }

    #[test]
    fn what_is_usually_large_is_begun_first_and_small_built_in_types_last() {
        let mut types = [
            ResourceType::new("batch", "v1", "Job", "jobs", true),
            ResourceType::new("example.com", "v1", "Widget", "widgets", true),
            ResourceType::new("", "v1", "Service", "services", true),
            ResourceType::new("", "v1", "ConfigMap", "configmaps", true),
        ];
        types.sort_by_key(rank);
        let kinds = types.map(|resource| resource.kind);
        assert_eq!(kinds, ["ConfigMap", "Service", "Widget", "Job"]);
    }

    #[test]
    fn a_chosen_namespace_that_does_not_exist_is_a_finding() {
        let seen = BTreeSet::from(["here".to_owned()]);
        let lines = absent_namespaces(&selector(&["here", "gone"]), &seen);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].object.to_string(), "Namespace gone");
        assert_eq!(lines[0].code.as_deref(), Some("UserErrorNamespaceNotFound"));
    }

    #[test]
    fn a_type_that_can_be_listed_and_no_more_has_a_line() {
        let listed = |kind: &str, plural: &str| ServedType {
            resource: ResourceType::new("example.com", "v1", kind, plural, true),
            verbs: vec!["list".to_owned()],
            subresources: Vec::new(),
        };
        let found = Found {
            discovery: Discovery {
                served: vec![listed("Usage", "usages")],
                ..Discovery::default()
            },
            cluster: ClusterFacts::default(),
            guessed: Vec::new(),
            opted_out: BTreeSet::new(),
        };
        let spec = BackupSpec {
            job_id: Uuid::nil(),
            mode: BackupMode::Backup,
            recovery_point_id: Uuid::nil(),
            backup_instance_id: "a".to_owned(),
            selection: Selection::default(),
            snapshot_classes: Vec::new(),
            parent_recovery_point_id: None,
            sealed: String::new(),
            deadline: None,
        };
        let plan = plan(&spec, &found).unwrap();
        assert!(plan.types.is_empty(), "{:?}", plan.types);
        assert_eq!(plan.lines.len(), 1);
        assert_eq!(plan.lines[0].object.to_string(), "example.com/Usage *");
        assert_eq!(plan.lines[0].outcome, Outcome::Skipped);
        assert!(plan.lines[0].reason.contains("does not show one by itself"));
    }
}
