//! What a restore would do with one object, for a validation: nothing is changed.
//!
//! The decision is the restore's own. What only the cluster knows (admission, quotas, schemas) is asked
//! of it by a server-side dry run, for a bounded number of objects: [`Trials`].

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::conflict::Action;
use strongroom_core::selection::Rule;
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::apply::{self as requests, Created};
use strongroom_kubernetes::{ClusterError, Failure};

use super::apply::Applier;
use super::item::Item;
use super::lines::{self, UNCHANGED, but, failed};
use super::observe::Existing;
use super::plan::{self, Desired};
use crate::job::{JobFailure, object_code};
use crate::limits::{DRY_RUNS, DRY_RUNS_OF_TYPE};

/// Which objects are tried, and what would be made where quotas count.
#[derive(Debug, Default)]
pub(super) struct Trials {
    all: u64,
    of_type: BTreeMap<ResourceType, u64>,
    /// Objects that would be created, by namespace and `plural.group`.
    created: BTreeMap<(String, String), u64>,
}

impl Trials {
    /// Whether one more object of a type is tried; counts it when it is.
    fn take(&mut self, resource: &ResourceType) -> bool {
        let of_type = self.of_type.entry(resource.clone()).or_default();
        let take = self.all < DRY_RUNS && *of_type < DRY_RUNS_OF_TYPE;
        if take {
            self.all += 1;
            *of_type += 1;
        }
        take
    }

    fn count(&mut self, object: &ObjectRef, resource: &ResourceType) {
        if let Some(namespace) = &object.namespace {
            let key = (namespace.clone(), resource.resource());
            *self.created.entry(key).or_default() += 1;
        }
    }

    /// Objects that would be created, by namespace and `plural.group`.
    pub(super) fn created(&self) -> &BTreeMap<(String, String), u64> {
        &self.created
    }
}

impl Applier<'_> {
    /// What would be done.
    pub(super) async fn foresee(
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
            Existing::Yes(raw) => serde_json::from_slice(raw).ok(),
            Existing::Unknown => match self.get(item, &desired).await {
                Ok(live) => live,
                Err(error) => {
                    let told = self.refused(item, &desired, error).await?;
                    return Ok(told.line);
                }
            },
        };
        let criteria = &self.spec.criteria;
        let action = plan::decide(&desired, criteria, item.namespace_made, existing.as_ref());
        let line =
            |outcome, reason: &str| ObjectOutcome::new(desired.object.clone(), outcome, reason);
        Ok(match action {
            Action::Create => return self.foresee_create(item, &desired).await,
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

    async fn foresee_create(
        &self,
        item: &Item<'_>,
        desired: &Desired,
    ) -> Result<ObjectOutcome, JobFailure> {
        if let Some(why) = self.forbidden.get(&item.resource.resource()) {
            let code = Code::UserErrorClusterPermissionMissing;
            return Ok(failed(desired, code, why.clone()));
        }
        if let Some(reason) = self.would_be_deleted(item, desired).await? {
            let object = desired.object.clone();
            return Ok(ObjectOutcome::new(object, Outcome::Skipped, reason));
        }
        if *item.resource == super::target::definitions() {
            self.target.define(&desired.value, None);
        }
        let reason = "it does not exist and would be created";
        let line = ObjectOutcome::new(desired.object.clone(), Outcome::Created, reason);
        let data = self.data_of(item, &desired.value).await?;
        let line = self.foreseen(item, desired, &data, line).await?;
        {
            let mut trials = self
                .trials
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            trials.count(&desired.object, item.resource);
            // In a namespace that is not there yet, or of a type that is not, nothing can be tried.
            if !self.is_in_place(item) || !trials.take(item.resource) {
                return Ok(line);
            }
        }
        self.try_out(item, desired, line).await
    }

    /// Whether the type is served and the namespace is there already.
    fn is_in_place(&self, item: &Item<'_>) -> bool {
        !item.namespace_made && self.target.is_served(item.resource)
    }

    /// Lets the API server say what it would say.
    async fn try_out(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let mut value = desired.value.clone();
        let cluster = &self.calls.cluster;
        loop {
            let attempt = || requests::create_dry(cluster, item.resource, &value);
            let error = match self.calls.send(attempt).await.outcome {
                Ok(Created::New(made)) => return Ok(would_change(&value, &made.object, line)),
                Ok(Created::AlreadyExists) => return Ok(line),
                Err(error) => error,
            };
            if self.is_gone(&error).await {
                return Err(error.into());
            }
            if let Failure::Invalid { causes, .. } = &error.failure {
                let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
                let dropped = desired.prepared.relax(&mut value, &fields);
                if !dropped.is_empty() {
                    continue;
                }
            }
            return Ok(foretold(desired, line, &error));
        }
    }
}

/// The same line with a warning when admission would change the object as it is made.
fn would_change(tried: &Value, made: &Value, line: ObjectOutcome) -> ObjectOutcome {
    let changed = plan::changed_by_cluster(tried, made);
    if changed.is_empty() {
        return line;
    }
    let trouble = format!("the cluster would change {}", lines::places(&changed));
    but(line, Code::ObjectChangedByAdmission, &trouble)
}

/// What a refused dry run says of the restore.
fn foretold(desired: &Desired, line: ObjectOutcome, error: &ClusterError) -> ObjectOutcome {
    let text = error.to_string();
    // A webhook with side effects cannot be asked; that says nothing about the restore.
    if text.contains("dry run") && text.contains("support") {
        return line;
    }
    let code = object_code(&error.failure);
    let refused = matches!(
        error.failure,
        Failure::Denied { .. } | Failure::Forbidden { .. } | Failure::Invalid { .. }
    );
    if refused || code == Code::AdmissionRefused {
        let reason = format!("the API server would refuse it: {text}");
        return failed(desired, code, reason);
    }
    match &error.failure {
        // The pods behind it may be restored as well.
        Failure::ServerError { .. } | Failure::Timeout { .. } => {
            but(line, code, &format!("a trial got no answer: {text}"))
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_bounded_for_each_type_and_in_all() {
        let mut trials = Trials::default();
        let kind = |number: u64| {
            ResourceType::new("example.com", "v1", "Widget", &format!("w{number}"), true)
        };
        let taken = |trials: &mut Trials, number| {
            let tries = 0..DRY_RUNS_OF_TYPE + 1;
            tries.filter(|_| trials.take(&kind(number))).count() as u64
        };
        assert_eq!(taken(&mut trials, 0), DRY_RUNS_OF_TYPE);
        let others: u64 = (1..1_000).map(|number| taken(&mut trials, number)).sum();
        assert_eq!(others + DRY_RUNS_OF_TYPE, DRY_RUNS);
    }
}
