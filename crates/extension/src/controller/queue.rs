//! Which custom resources of one kind exist, oldest first.
//!
//! Only names, uids and times are kept ([`QUEUED_JOBS`] at most): what a job is to do is read when
//! it is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::{StreamExt as _, pin_mut};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use strongroom_kubernetes::Cluster;
use tokio::sync::watch;

use crate::limits::QUEUED_JOBS;

/// A custom resource that asks for a job.
pub trait JobResource:
    kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> JobResource for K where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// One custom resource that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    /// RFC 3339 with a fixed width, so that texts sort as times.
    created: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// The custom resources that exist, by uid.
type Tickets = BTreeMap<String, Ticket>;

/// A view of the custom resources of one kind.
#[derive(Debug, Clone)]
pub struct Queue {
    tickets: watch::Receiver<Tickets>,
    /// Which of them this queue gives out, by their names.
    gives: fn(&str) -> bool,
}

impl Queue {
    /// A queue, and the work that keeps it up to date until it is dropped.
    pub fn of<K: JobResource>(
        cluster: &Cluster,
        namespace: &str,
    ) -> (Self, impl Future<Output = ()> + Send + use<K>) {
        let (sender, tickets) = watch::channel(Tickets::new());
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(cluster.client(), namespace);
        let gives = |_: &str| true;
        (Self { tickets, gives }, follow(api, sender))
    }

    /// The same with those alone whose name `gives` accepts: a lane of its own, in which nothing waits
    /// for what is in another one.
    #[must_use]
    pub fn only(mut self, gives: fn(&str) -> bool) -> Self {
        self.gives = gives;
        self
    }

    /// The oldest ticket that is not settled. Forgets settled ones that are gone.
    pub(super) async fn next(&self, settled: &mut BTreeSet<String>) -> Ticket {
        let mut tickets = self.tickets.clone();
        loop {
            if let Some(oldest) = oldest_open(&tickets.borrow_and_update(), settled, self.gives) {
                return oldest;
            }
            if tickets.changed().await.is_err() {
                // Nobody follows any more: the process is ending.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Resolves once a custom resource is gone.
    pub(super) async fn gone(&self, uid: &str) {
        let mut tickets = self.tickets.clone();
        let ended = tickets
            .wait_for(|now| !now.contains_key(uid))
            .await
            .is_err();
        if ended {
            std::future::pending::<()>().await;
        }
    }
}

/// The oldest ticket that is not settled; settled ones that are gone are forgotten.
fn oldest_open(
    tickets: &Tickets,
    settled: &mut BTreeSet<String>,
    gives: fn(&str) -> bool,
) -> Option<Ticket> {
    settled.retain(|uid| tickets.contains_key(uid));
    tickets
        .values()
        .filter(|ticket| gives(&ticket.name) && !settled.contains(&ticket.uid))
        .min()
        .cloned()
}

async fn follow<K: JobResource>(api: Api<PartialObjectMeta<K>>, sender: watch::Sender<Tickets>) {
    loop {
        let events = watcher(api.clone(), watcher::Config::default()).default_backoff();
        pin_mut!(events);
        let mut fresh = Tickets::new();
        let mut overflowed = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => fresh.clear(),
                Ok(Event::InitApply(object)) => overflowed |= !insert(&mut fresh, &object),
                Ok(Event::InitDone) => {
                    sender.send_replace(std::mem::take(&mut fresh));
                }
                Ok(Event::Apply(object)) => {
                    sender.send_if_modified(|tickets| {
                        let before = tickets.len();
                        overflowed |= !insert(tickets, &object);
                        tickets.len() != before
                    });
                }
                Ok(Event::Delete(object)) => {
                    let uid = object.metadata.uid.unwrap_or_default();
                    sender.send_if_modified(|tickets| tickets.remove(&uid).is_some());
                }
                Err(error) => tracing::debug!(%error, "watch of custom resources interrupted"),
            }
            // There is room again for those that were passed over: list anew.
            if overflowed && sender.borrow().len() < QUEUED_JOBS / 2 {
                break;
            }
        }
    }
}

/// Keeps a custom resource in mind; false when there are too many.
fn insert<K: JobResource>(tickets: &mut Tickets, object: &PartialObjectMeta<K>) -> bool {
    let metadata = &object.metadata;
    let uid = metadata.uid.clone().unwrap_or_default();
    if metadata.deletion_timestamp.is_some() {
        tickets.remove(&uid);
        return true;
    }
    if tickets.len() >= QUEUED_JOBS && !tickets.contains_key(&uid) {
        return false;
    }
    let created = metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0.to_string())
        .unwrap_or_default();
    let name = metadata.name.clone().unwrap_or_default();
    tickets.insert(uid.clone(), Ticket { created, name, uid });
    true
}
