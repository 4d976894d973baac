//! The owners of restored objects, under their uids in the cluster as it is now.
//!
//! What this restore makes is remembered as it is made, so that an owner costs no request. An owner
//! that is not known is asked for, and a type of which several are missing in one namespace is listed
//! there once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, pin_mut};
use serde_json::Value;
use strongroom_core::object::Owner;
use strongroom_core::restore::owners::{self, Relinked};
use strongroom_core::{ObjectRef, ResourceType};
use strongroom_kubernetes::apply;
use strongroom_kubernetes::collect::Collector;

use super::calls::Calls;
use super::target::Target;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::{OWNERS_BEFORE_LIST, OWNERS_REMEMBERED};

/// Group, kind, namespace, name.
type Identity = (String, String, Option<String>, String);

/// Group, kind, namespace.
type Place = (String, String, Option<String>);

#[derive(Debug, Default)]
struct Known {
    uids: BTreeMap<Identity, String>,
    /// Oldest first.
    order: VecDeque<Identity>,
    /// Whether something was forgotten: then what is not known may be there.
    forgot: bool,
    /// How many owners of a type were asked for in a namespace; listed when `None`. As many as there
    /// are types of owners in namespaces.
    asked: BTreeMap<Place, Option<u32>>,
}

/// Uids of objects that may be owners, a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Owners {
    known: Mutex<Known>,
}

/// What decides how an owner is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) calls: &'a Calls,
    pub(super) target: &'a Target,
    /// The namespace of what is owned.
    pub(super) namespace: Option<&'a str>,
    /// Whether all that is in the namespace was made by this very attempt, so that what is not known
    /// is not there.
    pub(super) all_known: bool,
}

impl Owners {
    /// Remembers an object that is there.
    pub(super) fn note(&self, resource: &ResourceType, live: &Value) {
        let metadata = &live["metadata"];
        let Some(name) = metadata["name"].as_str() else {
            return;
        };
        if let Some(uid) = uid_of(live) {
            let namespace = metadata["namespace"].as_str().map(str::to_owned);
            let identity = (
                resource.group.clone(),
                resource.kind.clone(),
                namespace,
                name.to_owned(),
            );
            self.known().insert(identity, uid);
        }
    }

    /// The uid of an object that this attempt has made or found.
    pub(super) fn uid_of(&self, object: &ObjectRef) -> Option<String> {
        let identity = (
            object.group.clone(),
            object.kind.clone(),
            object.namespace.clone(),
            object.name.clone(),
        );
        self.known().uids.get(&identity).cloned()
    }

    /// Forgets what was found to be missing: it may have been made since.
    pub(super) fn look_again(&self) {
        self.known().asked.clear();
    }

    /// Links owner references to the owners as they are in the cluster now. An owner lives in the
    /// namespace of what it owns, or in none.
    pub(super) async fn relink(
        &self,
        scope: Scope<'_>,
        owners: &[Owner],
    ) -> Result<Relinked, JobFailure> {
        let mut uids = BTreeMap::new();
        for owner in owners {
            if let Some(uid) = self.uid(scope, owner).await? {
                uids.insert(owner.uid.clone(), uid);
            }
        }
        Ok(owners::relink(owners, &uids))
    }

    async fn uid(&self, scope: Scope<'_>, owner: &Owner) -> Result<Option<String>, JobFailure> {
        let Some(kind) = scope.target.resolve(&owner.api_version, &owner.kind) else {
            return Ok(None);
        };
        let namespace = scope.namespace.filter(|_| kind.namespaced);
        let place = (
            kind.group.clone(),
            kind.kind.clone(),
            namespace.map(str::to_owned),
        );
        let identity = (
            place.0.clone(),
            place.1.clone(),
            place.2.clone(),
            owner.name.clone(),
        );
        let list = {
            let mut known = self.known();
            if let Some(uid) = known.uids.get(&identity) {
                return Ok(Some(uid.clone()));
            }
            if scope.all_known && namespace.is_some() && !known.forgot {
                return Ok(None);
            }
            let forgot = known.forgot;
            match known.asked.entry(place.clone()).or_insert(Some(0)) {
                None if !forgot => return Ok(None),
                None => false,
                Some(times) => {
                    *times += 1;
                    *times > OWNERS_BEFORE_LIST
                }
            }
        };
        if list {
            return self.list(scope.calls, &kind, &place, &identity).await;
        }
        let asked = || apply::get(&scope.calls.cluster, &kind, namespace, &owner.name);
        let live = match scope.calls.send(asked).await.outcome {
            Ok(live) => live,
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            // An owner that cannot be read is as good as none; the object's line says so.
            Err(_) => None,
        };
        let uid = live.as_ref().and_then(uid_of);
        if let Some(uid) = &uid {
            self.known().insert(identity, uid.clone());
        }
        Ok(uid)
    }

    /// Lists a type in a namespace and remembers what is there.
    async fn list(
        &self,
        calls: &Calls,
        kind: &ResourceType,
        place: &Place,
        wanted: &Identity,
    ) -> Result<Option<String>, JobFailure> {
        let collector = Collector::with_defaults(calls.cluster.clone());
        let pages = collector.pages(kind, place.2.as_deref(), None, None);
        pin_mut!(pages);
        let mut found = None;
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(_) => break,
            };
            for item in page.items {
                let (facts, name) = (&item.facts, &item.facts.object.name);
                if facts.terminating {
                    continue;
                }
                let identity = (
                    place.0.clone(),
                    place.1.clone(),
                    place.2.clone(),
                    name.clone(),
                );
                if identity == *wanted {
                    found = Some(facts.uid.clone());
                }
                self.known().insert(identity, facts.uid.clone());
            }
        }
        self.known().asked.insert(place.clone(), None);
        Ok(found)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, identity: Identity, uid: String) {
        if self.uids.insert(identity.clone(), uid).is_none() {
            self.order.push_back(identity);
        }
        if self.order.len() > OWNERS_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
            self.forgot = true;
        }
    }
}

/// The uid of an object that stays: one that is being deleted would take what it owns along.
fn uid_of(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    metadata["uid"]
        .as_str()
        .filter(|_| !metadata["deletionTimestamp"].is_string())
        .map(str::to_owned)
}
