//! Opens the repository and the recovery point, and understands the criteria.

use strongroom_core::restore::hooks::RestoreHook;
use strongroom_core::selection::Selector;
use strongroom_core::selection::related::Needs;
use strongroom_core::{Code, Problem};
use strongroom_kubernetes::crd::RestoreSpec;
use strongroom_kubernetes::hooks as kubernetes_hooks;
use strongroom_repository::{Point, Repository};

use super::sequence::Sequence;
use super::{needed, preflight};
use crate::job::{Attempt, JobFailure};
use crate::point::PointHeader;
use crate::secrets;

/// What a restore reads from.
pub(super) struct Opened {
    pub(super) repository: Repository,
    pub(super) point: Point,
    pub(super) sequence: Sequence,
    pub(super) selector: Selector,
    /// What is taken of the cluster's own scope although it is switched off.
    pub(super) needs: Needs,
    /// The hooks that run once everything is restored, in their order.
    pub(super) hooks: Vec<RestoreHook>,
    /// Whether all types of the recovery point were read at one state, in words.
    pub(super) cut: Option<String>,
}

pub(super) async fn open(attempt: &Attempt, spec: &RestoreSpec) -> Result<Opened, JobFailure> {
    let selector = spec.criteria.compile().map_err(|problems| all(&problems))?;
    let repository = secrets::open_repository(attempt, &spec.sealed).await?;
    let point = repository
        .point(spec.recovery_point_id)
        .await
        .map_err(|error| {
            if error.is_not_found() {
                let message = format!("recovery point {} does not exist", spec.recovery_point_id);
                JobFailure::new(Code::UserErrorRecoveryPointNotFound, message)
            } else {
                error.into()
            }
        })?;
    let hooks = read_hooks(attempt, spec).await?;
    let sequence = Sequence::of(&point)?;
    let needs = needed::needs(&point, &sequence, &selector).await?;
    let opened = Opened {
        cut: None,
        repository,
        point,
        sequence,
        selector,
        needs,
        hooks,
    };
    check_mappings(&opened, spec).await?;
    let point = &opened.point;
    let header: Option<PointHeader> = serde_json::from_value(point.header().clone()).ok();
    let cut = header.map(|header| header.cut.to_string());
    Ok(Opened { cut, ..opened })
}

/// Reads the hooks before anything is done: a restore without those that it names is not what was asked for.
async fn read_hooks(attempt: &Attempt, spec: &RestoreSpec) -> Result<Vec<RestoreHook>, JobFailure> {
    let cluster = &attempt.environment.cluster;
    let mut hooks = Vec::new();
    for reference in &spec.criteria.hooks {
        hooks.extend(kubernetes_hooks::of_restore(cluster, reference).await??);
    }
    Ok(hooks)
}

/// Refuses a mapping of a namespace that the recovery point does not hold, and one into a namespace
/// that is restored as well: their objects would overwrite each other.
async fn check_mappings(opened: &Opened, spec: &RestoreSpec) -> Result<(), JobFailure> {
    let mappings = &spec.criteria.namespace_mappings;
    for (source, target) in mappings {
        let trouble = if !preflight::holds_namespace(opened, source).await? {
            format!("the namespace {source} is mapped, but the recovery point does not hold it")
        } else if !mappings.contains_key(target)
            && opened.selector.decide_namespace(target).included
            && preflight::holds_namespace(opened, target).await?
        {
            format!(
                "{source} is mapped to {target}, which is restored as well and keeps its name; \
                 their objects would overwrite each other"
            )
        } else {
            continue;
        };
        let problem = Problem::new(Code::UserErrorInvalidNamespaceMapping, trouble);
        return Err(problem.at("namespaceMappings").into());
    }
    Ok(())
}

/// Several problems as one, under the code of the first.
fn all(problems: &[Problem]) -> Problem {
    let code = problems
        .first()
        .map_or(Code::InvalidRequestContent, |problem| problem.code);
    let messages: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    Problem::new(code, messages.join("; "))
}
