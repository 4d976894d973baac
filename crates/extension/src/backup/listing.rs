//! Reads types ahead of the writer: a few at once, each a page ahead.
//!
//! All lists ask for one state of the cluster. A list begins at the newest state, which proves what
//! the type's numbers mean ([`super::revisions`]) and is, as long as nothing was written meanwhile, the
//! wanted state itself. When a state has expired, or an API does not know how to show an old one, the
//! list goes on at the newest state behind the last object that was read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, pin_mut};
use strongroom_core::ResourceType;
use strongroom_kubernetes::collect::{Collected, Collector, Page};
use strongroom_kubernetes::{Cluster, ClusterError, Failure};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::revisions::{Relation, Revisions, newest};
use crate::limits::{FIRST_PAGES_AT_ONCE, LIST_RESTARTS, PAGES_AHEAD, TYPES_AT_ONCE};

/// A part of a type.
pub(super) enum Piece {
    /// Some objects, in order.
    Objects {
        /// The objects, each with its key.
        items: Vec<(String, Collected)>,
        /// Objects known to come in further pieces of this list.
        remaining: u64,
        /// The state that they show.
        state: String,
        /// What that state is to the one that was asked for.
        shown: Shown,
    },
    /// The type could not be read any further.
    Failed(ClusterError),
    /// There is no more of it.
    End,
}

/// What the state of a piece is to the one at which everything is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is that state.
    AsAsked,
    /// It is a later one.
    Later,
    /// It is one of the type's own count.
    Apart,
}

/// The pieces of all types as they come: those of one type in their order, those of several mixed.
pub(super) struct Listing {
    pieces: mpsc::Receiver<(Arc<ResourceType>, Piece)>,
    /// Ends the readers when this is dropped.
    _readers: JoinSet<()>,
}

/// What is read, and how.
#[derive(Clone)]
pub(super) struct Source {
    /// Where the types are.
    pub(super) cluster: Cluster,
    /// Reads the lists.
    pub(super) collector: Collector,
    /// The namespaces to list one by one; none when all are listed at once.
    pub(super) namespaces: Option<Vec<String>>,
    /// The state at which all types are to be read.
    pub(super) revisions: Arc<Revisions>,
}

impl Listing {
    /// Reads these types, [`FIRST_PAGES_AT_ONCE`] at a time as long as they have one page, and
    /// [`TYPES_AT_ONCE`] of those that have more.
    pub(super) fn start(source: Source, types: &[ResourceType]) -> Self {
        let waiting: VecDeque<_> = types.iter().cloned().map(Arc::new).collect();
        let waiting = Arc::new(Mutex::new(waiting));
        let (sender, pieces) = mpsc::channel(PAGES_AHEAD);
        let mut readers = JoinSet::new();
        let large = Arc::new(Semaphore::new(TYPES_AT_ONCE));
        for _ in 0..FIRST_PAGES_AT_ONCE {
            readers.spawn(read_all(
                source.clone(),
                Arc::clone(&waiting),
                Arc::clone(&large),
                sender.clone(),
            ));
        }
        Self {
            pieces,
            _readers: readers,
        }
    }

    /// The next piece of whichever type has one. After the last there is none; a type whose
    /// [`Piece::End`] or [`Piece::Failed`] has not come by then was lost with its reader.
    pub(super) async fn next(&mut self) -> Option<(Arc<ResourceType>, Piece)> {
        self.pieces.recv().await
    }
}

type Pieces = mpsc::Sender<(Arc<ResourceType>, Piece)>;

/// Reads one waiting type after the other. Ends early when nobody listens any more.
async fn read_all(
    source: Source,
    waiting: Arc<Mutex<VecDeque<Arc<ResourceType>>>>,
    large: Arc<Semaphore>,
    pieces: Pieces,
) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(resource) = next else {
            return;
        };
        let last = match read(&source, &resource, &large, &pieces).await {
            Ok(()) => Piece::End,
            Err(error) => Piece::Failed(error),
        };
        if pieces.send((resource, last)).await.is_err() {
            return;
        }
    }
}

/// Reads one type.
async fn read(
    source: &Source,
    resource: &Arc<ResourceType>,
    large: &Semaphore,
    pieces: &Pieces,
) -> Result<(), ClusterError> {
    let places: Vec<Option<&str>> = match &source.namespaces {
        Some(namespaces) if resource.namespaced => namespaces
            .iter()
            .map(|namespace| Some(namespace.as_str()))
            .collect(),
        _ => vec![None],
    };
    let mut how = How::Unknown;
    for place in places {
        let mut reading = Reading {
            source,
            resource,
            place,
            large,
            pieces,
            how,
            position: Position::default(),
        };
        reading.read().await?;
        how = reading.how;
    }
    Ok(())
}

/// One list: a type in one namespace or in all.
struct Reading<'a> {
    source: &'a Source,
    resource: &'a Arc<ResourceType>,
    place: Option<&'a str>,
    /// Room for lists of more than one page.
    large: &'a Semaphore,
    pieces: &'a Pieces,
    how: How,
    position: Position,
}

/// How a type is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Nobody knows yet what its numbers mean.
    Unknown,
    /// At the state that all lists ask for.
    Exactly,
    /// At the newest state, because the wanted one cannot be shown (any more).
    Newest,
    /// At the newest state, because the type has a count of its own.
    Apart,
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
            key.clone_into(self.last.get_or_insert_default());
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
        if self.how == How::Unknown && self.source.revisions.has_moved() {
            let state = newest(&self.source.cluster, self.resource, self.place).await?;
            self.learn(&state).await?;
        }
        for _ in 0..LIST_RESTARTS {
            match self.read_once().await {
                Ok(Finished::Yes) => return Ok(()),
                Ok(Finished::BeginAtTheWantedState) => {}
                Err(error) if self.may_restart(&error) => {
                    self.how = How::Newest;
                    self.position.restart();
                }
                Err(error) => return Err(error),
            }
        }
        self.read_once().await.map(|_finished| ())
    }

    /// Draws from the newest state of the type how it is to be asked for.
    async fn learn(&mut self, state: &str) -> Result<Relation, ClusterError> {
        let relation = self.source.revisions.relate(state).await?;
        self.how = match relation {
            Relation::Same | Relation::Later => How::Exactly,
            Relation::Apart => How::Apart,
        };
        Ok(relation)
    }

    async fn read_once(&mut self) -> Result<Finished, ClusterError> {
        let state = match self.how {
            How::Exactly => Some(self.source.revisions.at()),
            How::Unknown | How::Newest | How::Apart => None,
        };
        let pages = self
            .source
            .collector
            .pages(self.resource, self.place, state, None);
        pin_mut!(pages);
        let mut room = None;
        while let Some(page) = pages.next().await {
            let Page {
                items,
                resource_version,
                remaining,
                more,
                consistent,
            } = page?;
            if self.how == How::Unknown && self.learn(&resource_version).await? == Relation::Later {
                return Ok(Finished::BeginAtTheWantedState);
            }
            let keyed = |item: Collected| (item.facts.object.key(), item);
            let mut items: Vec<_> = items.into_iter().map(keyed).collect();
            // Lists come in this order anyway; APIs with a store of their own need not.
            if !items.is_sorted_by(|(one, _), (next, _)| one <= next) {
                items.sort_by(|(one, _), (next, _)| one.cmp(next));
            }
            items.retain(|(key, _)| self.position.admits(key));
            let piece = Piece::Objects {
                items,
                remaining: remaining.unwrap_or_default(),
                state: resource_version,
                shown: match self.how {
                    How::Apart => Shown::Apart,
                    How::Exactly if consistent => Shown::AsAsked,
                    How::Exactly | How::Newest | How::Unknown => Shown::Later,
                },
            };
            let piece = (Arc::clone(self.resource), piece);
            if self.pieces.send(piece).await.is_err() {
                return Ok(Finished::Yes);
            }
            if room.is_none() && more {
                room = self.large.acquire().await.ok();
            }
        }
        Ok(Finished::Yes)
    }

    /// Whether the list may begin anew at the newest state: the old one has expired, or this API
    /// cannot show it (it refuses it or waits for it in vain).
    fn may_restart(&self, error: &ClusterError) -> bool {
        match error.failure {
            Failure::Gone { .. } => !self.position.unordered,
            Failure::Invalid { .. } | Failure::Timeout { .. } | Failure::ServerError { .. } => {
                self.how == How::Exactly && self.position.last.is_none()
            }
            _ => false,
        }
    }
}

/// Whether a list came to its end.
enum Finished {
    /// It did, or nobody listens any more.
    Yes,
    /// It showed that the wanted state is an earlier one, which can be asked for.
    BeginAtTheWantedState,
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
