//! What exists under the names that are to be restored, for as few requests as possible.
//!
//! Where a namespace was made by this restore, nothing exists. Where one object of a type goes into a
//! namespace, it is asked for by itself. Where more do, the type is listed there, a page at a time,
//! alongside the entries: both are in the same order. A place that holds far more than is restored
//! into it is not read to its end: after as many pages as there are objects to look up, those that are
//! left are asked for one by one.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{StreamExt as _, pin_mut};
use strongroom_core::ResourceType;
use strongroom_kubernetes::collect::{Collected, Collector, Page};
use strongroom_kubernetes::{Cluster, ClusterError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::job::{JobFailure, is_unreachable};

/// What is known of an object before it is handled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Existing {
    /// It does not exist.
    No,
    /// It exists, as the API server sent it.
    Yes(Bytes),
    /// Nothing is known.
    Unknown,
}

/// Lists one type in one place alongside the entries.
#[derive(Debug)]
pub(super) struct Cursor {
    resource: ResourceType,
    namespace: Option<String>,
    pages: mpsc::Receiver<Result<Page, ClusterError>>,
    items: VecDeque<Collected>,
    /// Pages that may still be read.
    budget: usize,
    failed: bool,
    _reader: JoinSet<()>,
}

impl Cursor {
    /// Starts to list.
    pub(super) fn start(
        cluster: &Cluster,
        resource: &ResourceType,
        namespace: Option<&str>,
    ) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let collector = Collector::with_defaults(cluster.clone());
        let mut reader = JoinSet::new();
        let (kind, place) = (resource.clone(), namespace.map(str::to_owned));
        reader.spawn(async move {
            let pages = collector.pages(&kind, place.as_deref(), None, None);
            pin_mut!(pages);
            while let Some(page) = pages.next().await {
                if sender.send(page).await.is_err() {
                    return;
                }
            }
        });
        Self {
            resource: resource.clone(),
            namespace: namespace.map(str::to_owned),
            pages,
            items: VecDeque::new(),
            budget: 0,
            failed: false,
            _reader: reader,
        }
    }

    /// Whether it lists this type in this place.
    pub(super) fn is_of(&self, resource: &ResourceType, namespace: Option<&str>) -> bool {
        self.resource == *resource && self.namespace.as_deref() == namespace
    }

    /// Allows as many pages more as there are objects to look up.
    pub(super) fn allow(&mut self, pages: usize) {
        self.budget += pages;
    }

    /// What exists under this key (`namespace/name`); keys must be asked for in ascending order.
    pub(super) async fn seek(&mut self, key: &str) -> Result<Existing, JobFailure> {
        loop {
            while let Some(item) = self.items.front() {
                let found = item.facts.object.key();
                if found.as_str() > key {
                    return Ok(Existing::No);
                }
                let item = self.items.pop_front();
                if found == key {
                    return Ok(item.map_or(Existing::Unknown, |item| {
                        Existing::Yes(item.raw.into_bytes())
                    }));
                }
            }
            if self.failed {
                return Ok(Existing::Unknown);
            }
            if self.budget == 0 {
                self.failed = true;
                continue;
            }
            self.budget -= 1;
            match self.pages.recv().await {
                None => return Ok(Existing::No),
                Some(Ok(mut page)) => {
                    page.items
                        .sort_by_cached_key(|item| item.facts.object.key());
                    self.items.extend(page.items);
                }
                Some(Err(error)) if is_unreachable(&error) => return Err(error.into()),
                // Objects are asked for one by one then, and each says what is wrong.
                Some(Err(_)) => self.failed = true,
            }
        }
    }
}
