//! Creates one object, and does what follows a create: its status, its release, its owners, and the
//! wait for what others need.

use strongroom_core::Code;
use strongroom_core::object::Owner;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::Rule;
use strongroom_kubernetes::apply::{self as requests, Created, Written};
use strongroom_kubernetes::{ClusterError, FIELD_MANAGER, Failure};

use serde_json::Value;

use super::apply::Applier;
use super::calls::Sent;
use super::item::{Hold, Item, Told};
use super::lines::{self, but, created, failed};
use super::plan::{self, Desired};
use super::volumes::Data;
use crate::job::{JobFailure, object_code};
use crate::limits::{CREATE_PATIENCE, ESTABLISH_WAIT, NEW_TYPE_PAUSE, NEW_TYPE_TRIES};

/// What came of a create.
pub(super) enum Creation {
    Told(Box<Told>),
    /// An object of that name is there; `unheard` when it may be the one that was asked for.
    Exists {
        unheard: bool,
    },
}

impl From<Told> for Creation {
    fn from(told: Told) -> Self {
        Self::Told(Box::new(told))
    }
}

impl Applier<'_> {
    /// The line of an object whose type is stuck.
    pub(super) fn put_off(&self, item: &Item<'_>, desired: &Desired) -> Option<Told> {
        if item.last || !self.stuck.is_stuck(item.resource) {
            return None;
        }
        let reason = "what the API server asks about objects of its type does not answer";
        let code = Code::AdmissionWebhookUnavailable;
        Some(self.put_off_with(failed(desired, code, reason.to_owned())))
    }

    pub(super) async fn create(
        &self,
        item: &Item<'_>,
        desired: &mut Desired,
    ) -> Result<Creation, JobFailure> {
        if let Some(reason) = self.would_be_deleted(item, desired).await? {
            let line = ObjectOutcome::new(desired.object.clone(), Outcome::Skipped, reason);
            return Ok(Told::from(line).into());
        }
        let missing = self.with_owners(item, desired).await?;
        if let Some(reason) = without_its_job(item, desired, &missing) {
            let line = ObjectOutcome::new(desired.object.clone(), Outcome::Skipped, reason);
            return Ok(Told::from(line).into());
        }
        let data = self.data_of(item, &desired.value).await?;
        let line = created(desired, "it did not exist");
        let line = self.foreseen(item, desired, &data, line).await?;
        let mut line = self.provide(desired, &data, line).await?;
        let mut sent = self.post(item, desired).await;
        // The API server names one taken value at a time, so what it refuses is dropped in turn.
        let mut dropped = Vec::new();
        while let Err(ClusterError {
            failure: Failure::Invalid { causes, .. },
            ..
        }) = &sent.outcome
        {
            let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
            let more = desired.prepared.relax(&mut desired.value, &fields);
            if more.is_empty() {
                break;
            }
            dropped.extend(more);
            sent = self.post(item, desired).await;
        }
        if !dropped.is_empty() {
            let fields = dropped.join(", ");
            line.reason =
                format!("it did not exist; the cluster chose anew what is taken here: {fields}");
            line = line.with_code(Code::ClusterAssignedValueTaken);
        }
        match sent.outcome {
            Ok(Created::AlreadyExists) => Ok(Creation::Exists {
                unheard: sent.unheard,
            }),
            Ok(Created::New(Written { object, warnings })) => {
                self.stuck.answered(item.resource);
                self.note(item, &object);
                let line = lines::without_unknown(line, &warnings);
                let line = self.as_it_was_made(desired, &object, line);
                let told = self.complete(item, desired, &object, line).await?;
                Ok(self.with_missing(item, told, &missing).into())
            }
            Err(error) => self.refused(item, desired, error).await.map(Creation::from),
        }
    }

    /// Puts the owners that are known into the object; returns those that are not.
    async fn with_owners(
        &self,
        item: &Item<'_>,
        desired: &mut Desired,
    ) -> Result<Vec<Owner>, JobFailure> {
        // Some owners find what is theirs by themselves and set the reference.
        if desired.rule == Rule::HistoryAdopted || desired.prepared.owners.is_empty() {
            return Ok(Vec::new());
        }
        let scope = self.scope(item, desired);
        let linked = self.owners.relink(scope, &desired.prepared.owners).await?;
        if let Some(references) = &linked.patch {
            desired.prepared.link(&mut desired.value, references);
        }
        Ok(linked.missing)
    }

    /// Says what owners are missing, or puts that off until all are there.
    fn with_missing(&self, item: &Item<'_>, mut told: Told, missing: &[Owner]) -> Told {
        if missing.is_empty() || told.line.outcome != Outcome::Created {
            return told;
        }
        if item.owners_came {
            told.line = without_owners(told.line, missing);
        } else {
            told.hold.get_or_insert(Hold::Owner);
        }
        told
    }

    /// Links an object that this job has made to owners that it lacks.
    pub(super) async fn link(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        live: &Value,
        told: Told,
    ) -> Result<Told, JobFailure> {
        let owners = &desired.prepared.owners;
        let has = live["metadata"]["ownerReferences"]
            .as_array()
            .map_or(0, Vec::len);
        if desired.rule == Rule::HistoryAdopted || owners.len() <= has {
            return Ok(told);
        }
        if !item.owners_came {
            let hold = Some(Hold::Owner);
            return Ok(Told { hold, ..told });
        }
        self.link_now(item, desired, told).await
    }

    /// Links it, without looking at it first.
    pub(super) async fn link_now(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        told: Told,
    ) -> Result<Told, JobFailure> {
        let scope = self.scope(item, desired);
        let mut linked = self.owners.relink(scope, &desired.prepared.owners).await?;
        if let Some(references) = &mut linked.patch {
            // Another object of that name is none of ours: the uid makes the API server refuse.
            if let Some(uid) = self.owners.uid_of(&desired.object) {
                references["metadata"]["uid"] = Value::String(uid);
            }
            let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
            let cluster = &self.calls.cluster;
            let (kind, manager) = (item.resource, maker(item, desired));
            let merge =
                || requests::patch_merge_as(cluster, kind, namespace, name, references, &manager);
            if let Err(error) = self.calls.send(merge).await.outcome {
                if self.is_gone(&error).await {
                    return Err(error.into());
                }
                let trouble = format!("its owner references were refused: {error}");
                let line = but(told.line, Code::OwnerNotRestored, &trouble);
                return Ok(Told { line, ..told });
            }
        }
        let line = without_owners(told.line, &linked.missing);
        let line = if linked.patch.is_some() {
            self.give_back(item, desired, line).await?
        } else {
            line
        };
        Ok(Told { line, ..told })
    }

    /// The same line with what is amiss although the object can be made: data that are not there, a
    /// class that is missing.
    pub(super) async fn foreseen(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        data: &Data,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let line = self.with_data(desired, data, line).await?;
        let takes = |resource: &strongroom_core::ResourceType| {
            self.opened.selector.decide_type(resource).included
        };
        let point = (self.point, &self.opened.sequence);
        let object = (item.resource, &desired.value);
        let cluster = (&self.calls, &self.target);
        let missing = self.classes.missing(cluster, point, takes, object);
        Ok(match missing.await? {
            Some((code, trouble)) => but(line, code, &trouble),
            None => line,
        })
    }

    /// Why the cluster would delete the object at once: a token whose account is nowhere.
    /// Source: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#token-controller>
    pub(super) async fn would_be_deleted(
        &self,
        item: &Item<'_>,
        desired: &Desired,
    ) -> Result<Option<String>, JobFailure> {
        let token = "kubernetes.io/service-account-token";
        if !item.resource.is("", "Secret") || desired.value["type"] != token {
            return Ok(None);
        }
        let annotations = &desired.value["metadata"]["annotations"];
        let account = annotations["kubernetes.io/service-account.name"].as_str();
        let (Some(account), Some(namespace)) = (account, &desired.object.namespace) else {
            return Ok(None);
        };
        let sequence = &self.opened.sequence;
        let stored = match sequence.run_of("", "ServiceAccount") {
            Some(run) if self.opened.selector.decide_type(&run.resource).included => {
                let source = item.entry.name.split('/').next().unwrap_or_default();
                let name = format!("{source}/{account}");
                self.point.find(&run.group, &name).await?.is_some()
            }
            _ => false,
        };
        if stored {
            return Ok(None);
        }
        let kind =
            strongroom_core::ResourceType::new("", "v1", "ServiceAccount", "serviceaccounts", true);
        let asked = || requests::get(&self.calls.cluster, &kind, Some(namespace), account);
        Ok(match self.calls.send(asked).await.outcome {
            Ok(None) => Some(format!(
                "it is a token of the service account {account}, which neither the cluster nor the \
                 recovery point has: the cluster would delete it at once"
            )),
            _ => None,
        })
    }

    /// The same line with a warning when the cluster changed the object as it was made.
    fn as_it_was_made(
        &self,
        desired: &Desired,
        made: &Value,
        line: ObjectOutcome,
    ) -> ObjectOutcome {
        let changed = plan::changed_by_cluster(&desired.value, made);
        if changed.is_empty() {
            return line;
        }
        let trouble = format!("the cluster changed {}", lines::places(&changed));
        but(line, Code::ObjectChangedByAdmission, &trouble)
    }

    /// POST; a type that was made a moment ago may not be served by every API server yet.
    async fn post(&self, item: &Item<'_>, desired: &Desired) -> Sent<Created> {
        let mut tries = 0;
        let mut pause = NEW_TYPE_PAUSE / 8;
        loop {
            let create = || self.post_once(item, desired);
            let sent = self.calls.send(create).await;
            tries += 1;
            match &sent.outcome {
                Err(error)
                    if error.is_not_found()
                        && item.resource.is_custom()
                        && object_code(&error.failure) == Code::ResourceTypeNotServed
                        && tries < NEW_TYPE_TRIES =>
                {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(NEW_TYPE_PAUSE);
                }
                _ => return sent,
            }
        }
    }

    /// One POST, with less patience unless it is the last chance.
    async fn post_once(&self, item: &Item<'_>, desired: &Desired) -> Result<Created, ClusterError> {
        let (cluster, manager) = (&self.calls.cluster, maker(item, desired));
        let create = requests::create_as(cluster, item.resource, &desired.value, &manager);
        if item.last {
            return create.await;
        }
        match tokio::time::timeout(CREATE_PATIENCE, create).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClusterError::new(
                format!("create {} {}", item.resource, item.entry.name),
                Failure::Timeout {
                    limit: CREATE_PATIENCE,
                },
            )),
        }
    }

    /// What follows a create: status, release, and the wait for what others need.
    pub(super) async fn complete(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        live: &Value,
        line: ObjectOutcome,
    ) -> Result<Told, JobFailure> {
        let (cluster, kind) = (&self.calls.cluster, item.resource);
        let namespace = desired.object.namespace.as_deref();
        let name = desired.object.name.as_str();
        self.note(item, live);
        let so_far = plan::came_so_far(&desired.prepared);
        let mut line = line;
        // A Job that was released counts by itself: it may have come further than its old status.
        let counts = so_far.is_some() && live.pointer("/spec/suspend") != Some(&Value::Bool(true));
        if let Some(status) = &desired.prepared.status
            && live.get("status") != Some(status)
            && !counts
        {
            let manager = desired.prepared.managers().status_as;
            let manager = manager.as_deref().unwrap_or(FIELD_MANAGER);
            let write =
                || requests::patch_status_as(cluster, kind, namespace, name, status, manager);
            if let Err(error) = self.calls.send(write).await.outcome {
                if self.is_gone(&error).await {
                    return Err(error.into());
                }
                let refused = format!("its status was refused: {error}");
                let Some(so_far) = &so_far else {
                    let code = if desired.prepared.release.is_some() {
                        Code::FinishedJobStatusRefused
                    } else {
                        Code::KubernetesBackupGenericWarning
                    };
                    return Ok(but(line, code, &refused).into());
                };
                let trouble = format!("it was running {so_far} and begins anew: {refused}");
                line = but(line, Code::UnfinishedRunStartsOver, &trouble);
            } else if let Some(so_far) = &so_far {
                line = lines::and(line, &format!("it was running and goes on {so_far}"));
            }
        }
        if let Some(release) = &desired.prepared.release {
            let manager = maker(item, desired);
            let write =
                || requests::patch_merge_as(cluster, kind, namespace, name, release, &manager);
            if let Err(error) = self.calls.send(write).await.outcome {
                if self.is_gone(&error).await {
                    return Err(error.into());
                }
                let trouble = format!("it could not be released: {error}");
                return Ok(but(line, Code::FinishedJobStatusRefused, &trouble).into());
            }
        }
        if *kind == super::target::definitions() {
            let waited = requests::wait_established(&self.target.cluster, name, ESTABLISH_WAIT);
            if let Err(error) = waited.await {
                let trouble = format!("it is not established: {error}");
                return Ok(but(line, Code::KubernetesBackupGenericWarning, &trouble).into());
            }
            let now = tokio::time::Instant::now();
            self.target.define(live, Some(now));
        }
        self.give_back(item, desired, line).await.map(Told::from)
    }

    /// Gives the fields back to those who owned them, when the names of the writes do not.
    async fn give_back(
        &self,
        item: &Item<'_>,
        desired: &Desired,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let Some(managers) = desired.prepared.managers().afterwards else {
            return Ok(line);
        };
        // A namespace keeps our name until the end, so that another attempt knows it.
        if item.resource.is("", "Namespace") {
            return Ok(line);
        }
        let (cluster, kind) = (&self.calls.cluster, item.resource);
        let (namespace, name) = (desired.object.namespace.as_deref(), &desired.object.name);
        let write = || requests::patch_merge(cluster, kind, namespace, name, &managers);
        match self.calls.send(write).await.outcome {
            Ok(_) => Ok(line),
            Err(error) if self.is_gone(&error).await => Err(error.into()),
            Err(error) => {
                let trouble = format!("its field managers were refused: {error}");
                Ok(but(line, Code::KubernetesBackupGenericWarning, &trouble))
            }
        }
    }
}

/// In whose name an object is made: its own manager's, so that the user's next apply meets no conflict.
fn maker(item: &Item<'_>, desired: &Desired) -> String {
    let own = desired.prepared.managers().create_as;
    own.filter(|_| !item.resource.is("", "Namespace"))
        .unwrap_or_else(|| FIELD_MANAGER.to_owned())
}

/// Why a finished pod is left: it is the record of a Job that is not there.
fn without_its_job(item: &Item<'_>, desired: &Desired, missing: &[Owner]) -> Option<String> {
    let is_record = item.resource.is("", "Pod") && desired.rule == Rule::FinishedRunKept;
    let job = missing
        .iter()
        .find(|owner| owner.controller && owner.kind == "Job")?;
    is_record.then(|| {
        format!(
            "it is a finished pod of the Job {}, which is not there",
            job.name
        )
    })
}

/// The same line, naming the owners that the object is without.
fn without_owners(line: ObjectOutcome, missing: &[Owner]) -> ObjectOutcome {
    if missing.is_empty() {
        return line;
    }
    let names: Vec<String> = missing
        .iter()
        .map(|owner| format!("{} {}", owner.kind, owner.name))
        .collect();
    let trouble = format!("it was restored without its owner {}", names.join(", "));
    but(line, Code::OwnerNotRestored, &trouble)
}
