//! Reads types ahead of the writer: a few at once, each a page ahead, in the order of the runs.
//!
//! All lists ask for one state of the cluster. When a state has expired, or an API does not know how
//! to show an old one, the list goes on at the newest state behind the last object that was read.

use std::collections::VecDeque;

use futures::{StreamExt as _, pin_mut};
use strongroom_core::ResourceType;
use strongroom_kubernetes::collect::{Collected, Collector, Page};
use strongroom_kubernetes::{Cluster, ClusterError, Failure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::limits::{LIST_RESTARTS, PAGES_AHEAD, TYPES_AT_ONCE};

/// A part of a type.
pub(super) enum Piece {
    /// Some objects, in order.
    Objects {
        /// The objects.
        items: Vec<Collected>,
        /// Objects known to come in further pieces of this list.
        remaining: u64,
        /// The state of the cluster that they show.
        state: String,
        /// Whether that is the state that was asked for.
        exact: bool,
    },
    /// The type could not be read any further.
    Failed(ClusterError),
}

/// The lists of all types, read ahead.
pub(super) struct Listing {
    source: Source,
    waiting: VecDeque<ResourceType>,
    open: VecDeque<(ResourceType, mpsc::Receiver<Piece>)>,
    /// Ends the readers when this is dropped.
    readers: JoinSet<()>,
}

#[derive(Clone)]
struct Source {
    collector: Collector,
    namespaces: Option<Vec<String>>,
    state: String,
}

impl Listing {
    /// Lists of these types at one state: of these namespaces, or of all.
    pub(super) fn start(
        cluster: &Cluster,
        types: Vec<ResourceType>,
        namespaces: Option<Vec<String>>,
        state: String,
    ) -> Self {
        let collector = Collector::with_defaults(cluster.clone());
        let source = Source {
            collector,
            namespaces,
            state,
        };
        let mut this = Self {
            source,
            waiting: types.into(),
            open: VecDeque::new(),
            readers: JoinSet::new(),
        };
        this.fill();
        this
    }

    /// The next type with its pieces.
    pub(super) fn next_type(&mut self) -> Option<(ResourceType, mpsc::Receiver<Piece>)> {
        while self.readers.try_join_next().is_some() {}
        let next = self.open.pop_front();
        self.fill();
        next
    }

    /// Starts readers up to the limit. The type in hand counts as one.
    fn fill(&mut self) {
        while self.open.len() < TYPES_AT_ONCE - 1 {
            let Some(resource) = self.waiting.pop_front() else {
                return;
            };
            let (sender, pieces) = mpsc::channel(PAGES_AHEAD);
            self.readers
                .spawn(read(self.source.clone(), resource.clone(), sender));
            self.open.push_back((resource, pieces));
        }
    }
}

/// Reads one type. Ends early when nobody listens any more.
async fn read(source: Source, resource: ResourceType, pieces: mpsc::Sender<Piece>) {
    let places: Vec<Option<&str>> = match &source.namespaces {
        Some(namespaces) if resource.namespaced => namespaces
            .iter()
            .map(|namespace| Some(namespace.as_str()))
            .collect(),
        _ => vec![None],
    };
    for place in places {
        let mut reading = Reading {
            source: &source,
            resource: &resource,
            place,
            pieces: &pieces,
            exact: true,
            position: Position::default(),
        };
        if let Err(error) = reading.read().await {
            let _ = pieces.send(Piece::Failed(error)).await;
            return;
        }
    }
}

/// One list: a type in one namespace or in all.
struct Reading<'a> {
    source: &'a Source,
    resource: &'a ResourceType,
    place: Option<&'a str>,
    pieces: &'a mpsc::Sender<Piece>,
    /// Whether the state that all lists ask for is still asked for.
    exact: bool,
    position: Position,
}

/// How far a list has come, by the keys of its objects.
#[derive(Debug, Default)]
struct Position {
    /// The last key that was handed on, in the order of keys.
    last: Option<String>,
    /// The last key that was handed on before the list was begun anew.
    behind: Option<String>,
    /// Whether keys came out of their order: then no key says which objects came before it.
    unordered: bool,
}

impl Position {
    /// Whether an object is to be handed on. Those out of order are as well: whoever writes them down
    /// says what becomes of them, so that none is lost in silence.
    fn admits(&mut self, key: &str) -> bool {
        if self.behind.as_deref().is_some_and(|behind| key <= behind) {
            return false;
        }
        if self.last.as_deref().is_some_and(|last| key <= last) {
            self.unordered = true;
        } else {
            self.last = Some(key.to_owned());
        }
        true
    }

    /// The list begins anew.
    fn restart(&mut self) {
        self.behind.clone_from(&self.last);
    }
}

impl Reading<'_> {
    async fn read(&mut self) -> Result<(), ClusterError> {
        for _ in 0..LIST_RESTARTS {
            match self.read_once().await {
                Ok(()) => return Ok(()),
                Err(error) if self.may_restart(&error) => {
                    self.exact = false;
                    self.position.restart();
                }
                Err(error) => return Err(error),
            }
        }
        self.read_once().await
    }

    async fn read_once(&mut self) -> Result<(), ClusterError> {
        let state = self.exact.then_some(self.source.state.as_str());
        let pages = self
            .source
            .collector
            .pages(self.resource, self.place, state, None);
        pin_mut!(pages);
        while let Some(page) = pages.next().await {
            let Page {
                mut items,
                resource_version,
                remaining,
                consistent,
            } = page?;
            // Lists come in this order anyway; APIs with a store of their own need not.
            items.sort_by_cached_key(|item| item.facts.object.key());
            items.retain(|item| self.position.admits(&item.facts.object.key()));
            let piece = Piece::Objects {
                items,
                remaining: remaining.unwrap_or_default(),
                state: resource_version,
                exact: self.exact && consistent,
            };
            if self.pieces.send(piece).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the list may begin anew at the newest state: the old one has expired, or this API
    /// cannot show it (aggregated APIs refuse it or wait for it in vain).
    fn may_restart(&self, error: &ClusterError) -> bool {
        match error.failure {
            Failure::Gone { .. } => !self.position.unordered,
            Failure::Invalid { .. } | Failure::Timeout { .. } | Failure::ServerError { .. } => {
                self.exact && self.position.last.is_none() && self.resource.is_custom()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_begun_anew_goes_on_behind_what_was_handed_on() {
        let mut position = Position::default();
        assert!(["a/1", "a/2"].iter().all(|key| position.admits(key)));
        position.restart();
        let again: Vec<bool> = ["a/1", "a/2", "a/3"].map(|key| position.admits(key)).into();
        assert_eq!(again, [false, false, true]);
        assert!(!position.unordered);
    }

    #[test]
    fn an_object_out_of_order_is_handed_on_and_forbids_to_begin_anew() {
        let mut position = Position::default();
        assert!(["b/1", "a/1"].iter().all(|key| position.admits(key)));
        assert!(position.unordered);
        assert_eq!(position.last.as_deref(), Some("b/1"));
    }
}
