//! Which pods a restore made: those that its report says it created, and those whose owners it created.
//!
//! Contract: the report is believed, because it holds each object's last word, over all attempts; what it
//! says must still be true of the live owner, which must be younger than the job, and a pod must be no older
//! than the owner that makes it one of ours: a workload adopts pods that were there before it.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::hooks::{PodFacts, Scope};
use strongroom_core::object::Owner;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::hooks::coming;
use strongroom_core::{Code, ObjectFacts, ObjectRef, ResourceType};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::{apply as requests, exec};

use super::super::apply::Applier;
use super::super::teller::unwritable;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::{MADE_REMEMBERED, NAMESPACES_LISTED_ALONE, OWNERS_CLIMBED, REPORT_PAGE};

/// Group, kind, namespace (empty for the cluster's scope), name.
type Identity = (String, String, String, String);

/// What a restore made.
pub(super) struct Made<'h, 'a> {
    applier: &'h Applier<'a>,
    /// Objects that it created and that are pods or may own some, where a hook may look: workloads and
    /// custom resources in those namespaces, [`MADE_REMEMBERED`] at most.
    created: BTreeSet<Identity>,
    /// Since when what is below an owner may be ours; none when it is not.
    owners: BTreeMap<String, Option<Timestamp>>,
}

/// A workload that was created and makes pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    kind: ResourceType,
    namespace: String,
    name: String,
}

impl Workload {
    /// As reports name it.
    pub(super) fn object(&self) -> ObjectRef {
        ObjectRef::new(&self.kind, Some(&self.namespace), &self.name)
    }
}

impl<'h, 'a> Made<'h, 'a> {
    /// Reads the report of the restore, which has this number and this many lines. Fails when it made more
    /// than can be remembered: a pod of an object that was forgotten would be taken for somebody else's.
    pub(super) async fn read(
        applier: &'h Applier<'a>,
        number: u32,
        lines: u64,
    ) -> Result<Self, JobFailure> {
        let (repository, job) = (&applier.opened.repository, applier.attempt.job);
        let mut created = BTreeSet::new();
        let mut next = 0;
        while next < lines {
            let take = (lines - next).min(REPORT_PAGE as u64);
            let page = repository.read_report(job, number, next, take).await?;
            if page.lines.is_empty() {
                let message = format!("the report ends before line {lines}");
                return Err(JobFailure::new(Code::RecoveryPointCorrupt, message));
            }
            next += page.lines.len() as u64;
            for text in &page.lines {
                let line: ObjectOutcome = serde_json::from_slice(text).map_err(unwritable)?;
                if is_of_interest(applier, &line) {
                    remember(&mut created, identity(&line.object), MADE_REMEMBERED)?;
                }
            }
        }
        Ok(Self {
            applier,
            created,
            owners: BTreeMap::new(),
        })
    }

    /// Whether pods may come that no known workload makes: operators make them.
    pub(super) fn may_come(&self, scope: &Scope) -> bool {
        self.created.iter().any(|(group, _, namespace, _)| {
            coming::is_foreign(group) && (namespace.is_empty() || scope.covers(namespace))
        })
    }

    /// The workloads that were created and whose pods a hook speaks of.
    pub(super) async fn workloads(&self, scope: &Scope) -> Result<Vec<Workload>, JobFailure> {
        let cluster = &self.applier.target.cluster;
        let collector = Collector::with_defaults(cluster.clone());
        let mut workloads = Vec::new();
        for (group, kind, plural) in coming::WORKLOADS {
            let is_one = |made: &&Identity| made.0 == group && made.1 == kind;
            let made: BTreeSet<(&str, &str)> = self
                .created
                .iter()
                .filter(is_one)
                .map(|(_, _, namespace, name)| (namespace.as_str(), name.as_str()))
                .filter(|(namespace, _)| scope.covers(namespace))
                .collect();
            if made.is_empty() {
                continue;
            }
            let kind = ResourceType::new(group, "v1", kind, plural, true);
            let places = made.iter().map(|(namespace, _)| *namespace).collect();
            for place in listed(&places) {
                let mut pages = std::pin::pin!(collector.pages(&kind, place, None, None));
                while let Some(page) = pages.try_next().await? {
                    for item in page.items {
                        let live: Value = item.raw.json().unwrap_or_default();
                        let object = &item.facts.object;
                        let namespace = object.namespace.as_deref().unwrap_or_default();
                        let ours = made.contains(&(namespace, object.name.as_str()));
                        if ours && scope.selector.matches(&coming::labels(&live)) {
                            workloads.push(Workload {
                                kind: kind.clone(),
                                namespace: namespace.to_owned(),
                                name: object.name.clone(),
                            });
                        }
                    }
                }
            }
        }
        Ok(workloads)
    }

    /// Those of the workloads whose pods have not all come, with the reason.
    pub(super) async fn without_their_pods(
        &self,
        workloads: &[Workload],
    ) -> Result<Vec<(Workload, String)>, JobFailure> {
        let cluster = &self.applier.target.cluster;
        let mut without = Vec::new();
        for one in workloads {
            let namespace = Some(one.namespace.as_str());
            let live = requests::get(cluster, &one.kind, namespace, &one.name).await?;
            // One that is gone makes no pods.
            let missing = live.and_then(|live| coming::missing(&one.kind, &live));
            without.extend(missing.map(|why| (one.clone(), why)));
        }
        Ok(without)
    }

    /// The pods of a hook that this restore made, and how many others it matches.
    pub(super) async fn pods(
        &mut self,
        scope: &Scope,
    ) -> Result<(Vec<PodFacts>, usize), JobFailure> {
        let cluster = &self.applier.target.cluster;
        let everywhere = self.created.iter().any(|made| made.2.is_empty());
        let made = self.created.iter().map(|made| made.2.as_str());
        let places: BTreeSet<&str> = made.filter(|name| scope.covers(name)).collect();
        let (mut young, mut foreign) = (Vec::new(), 0);
        let mut take = |pod: PodFacts| {
            let place = everywhere || places.contains(pod.namespace.as_str());
            if !place || !scope.matches(&pod) {
                return;
            }
            let created = pod.created;
            if created.is_some_and(|created| created >= self.applier.attempt.created) {
                young.push(pod);
            } else {
                foreign += 1;
            }
        };
        let places = if everywhere {
            vec![None]
        } else {
            listed(&places)
        };
        for place in places {
            exec::pods(cluster, place, &mut take).await?;
        }
        let mut ours = Vec::new();
        for pod in young {
            if self.is_ours(&pod).await? {
                ours.push(pod);
            } else {
                foreign += 1;
            }
        }
        Ok((ours, foreign))
    }

    async fn is_ours(&mut self, pod: &PodFacts) -> Result<bool, JobFailure> {
        let itself = identity_of("", "Pod", &pod.namespace, &pod.name);
        if self.created.contains(&itself) {
            return Ok(true);
        }
        let Some(owner) = &pod.controller else {
            return Ok(false);
        };
        let since = self.made_since(&pod.namespace, owner).await?;
        Ok(since.is_some_and(|since| pod.created.is_some_and(|created| since <= created)))
    }

    /// When the nearest owner that this restore made came to be; none when it made none of them.
    async fn made_since(
        &mut self,
        namespace: &str,
        owner: &Owner,
    ) -> Result<Option<Timestamp>, JobFailure> {
        let mut climbed = Vec::new();
        let mut next = Some(owner.clone());
        let mut since = None;
        while let Some(owner) = next.take() {
            if let Some(known) = self.owners.get(&owner.uid) {
                since = *known;
                break;
            }
            climbed.push(owner.uid.clone());
            if climbed.len() > OWNERS_CLIMBED {
                break;
            }
            (since, next) = self.look_at(namespace, &owner).await?;
        }
        let climbed = climbed.into_iter().map(|uid| (uid, since));
        self.owners.extend(climbed);
        Ok(since)
    }

    /// When an owner came to be, if this restore made it; else its own owner.
    async fn look_at(
        &self,
        namespace: &str,
        owner: &Owner,
    ) -> Result<(Option<Timestamp>, Option<Owner>), JobFailure> {
        let target = &self.applier.target;
        let Some(kind) = target.resolve(&owner.api_version, &owner.kind) else {
            return Ok((None, None));
        };
        let place = kind.namespaced.then_some(namespace);
        let live = match requests::get(&target.cluster, &kind, place, &owner.name).await {
            Ok(live) => live,
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            Err(_) => None,
        };
        let Some(live) = live.filter(|live| live["metadata"]["uid"] == *owner.uid) else {
            return Ok((None, None));
        };
        let itself = identity_of(
            &kind.group,
            &kind.kind,
            place.unwrap_or_default(),
            &owner.name,
        );
        if self.created.contains(&itself) && self.applier.is_young(&live) {
            let created = live["metadata"]["creationTimestamp"].as_str();
            return Ok((created.and_then(|time| time.parse().ok()), None));
        }
        let facts = ObjectFacts::of(&kind, &live);
        Ok((None, facts.controller().cloned()))
    }
}

/// Whether a line says that something was created which is or may own pods that a hook speaks of.
fn is_of_interest(applier: &Applier<'_>, line: &ObjectOutcome) -> bool {
    let object = &line.object;
    let place = object.namespace.as_deref();
    let mut hooks = applier.opened.hooks.iter();
    line.outcome == Outcome::Created
        && coming::may_own_pods(&object.group, &object.kind)
        && hooks.any(|hook| place.is_none_or(|place| hook.scope.covers(place)))
}

fn remember(
    created: &mut BTreeSet<Identity>,
    made: Identity,
    most: usize,
) -> Result<(), JobFailure> {
    created.insert(made);
    if created.len() <= most {
        return Ok(());
    }
    let message = format!(
        "the restore made more than {most} workloads and custom resources where its hooks look; restore with hooks in parts, or name fewer namespaces in the hooks"
    );
    Err(JobFailure::new(Code::RestoreHookFailed, message))
}

fn identity(object: &ObjectRef) -> Identity {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    identity_of(&object.group, &object.kind, namespace, &object.name)
}

fn identity_of(group: &str, kind: &str, namespace: &str, name: &str) -> Identity {
    let [group, kind, namespace, name] = [group, kind, namespace, name].map(str::to_owned);
    (group, kind, namespace, name)
}

/// The lists that show these namespaces: one for each, or one of all when there are many.
fn listed<'n>(names: &BTreeSet<&'n str>) -> Vec<Option<&'n str>> {
    if names.len() > NAMESPACES_LISTED_ALONE {
        return vec![None];
    }
    names.iter().copied().map(Some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_can_be_remembered_is_told_and_the_same_twice_counts_once() {
        let mut created = BTreeSet::new();
        let made = |name: &str| identity_of("apps", "Deployment", "shop", name);
        for name in ["a", "b", "a", "b"] {
            remember(&mut created, made(name), 2).unwrap();
        }
        let Err(JobFailure::Final(problem)) = remember(&mut created, made("c"), 2) else {
            panic!("a third is one too many");
        };
        assert_eq!(problem.code, Code::RestoreHookFailed);
        assert!(problem.message.contains("more than 2"), "{problem}");
    }
}
