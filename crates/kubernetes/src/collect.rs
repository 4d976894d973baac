//! Reading all objects of a type, page by page, as the very bytes that the API server sent.
//!
//! Contract: memory is bounded by three pages, whatever the type holds: the one that was handed out, the
//! next, which is asked for as soon as it is known where it begins, and, once the second was asked for by
//! the caller, the one behind that. An item's bytes are never
//! parsed and written again, so unknown fields, large numbers and the order of keys survive. A list
//! leaves `apiVersion` and `kind` out of the items of built-in types; they are put in front of the
//! bytes, and nothing else is touched. Nor is an item copied: its bytes are a view into the page, whose
//! room is used again when the last of them is gone. Items come in the server's order, by namespace
//! and name.

mod ahead;
mod item;
mod page;
mod rooms;
mod whole;

use std::sync::Arc;

use futures::{Stream, stream};
use strongroom_core::object::{ObjectFacts, ResourceType};
use tokio::sync::Semaphore;

use self::ahead::{Arrived, Asking, Coming, continued, encoded};

pub(crate) use self::rooms::Rooms;
pub use self::whole::Whole;
use crate::cluster::{Cluster, ClusterError, Failure, path_of};
use crate::limits::{FIRST_PAGE_BYTES, LIST_RESTARTS, PAGE_BYTES, PAGE_SIZE, PAGES_COMING};

/// One object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// What decisions need to know of it.
    pub facts: ObjectFacts,
    /// The API server's bytes, with `apiVersion` and `kind`.
    pub raw: Whole,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub items: Vec<Collected>,
    /// The state of the cluster that this page shows.
    pub resource_version: String,
    /// Objects still to come, when the server says so.
    pub remaining: Option<u64>,
    /// Whether another page follows.
    pub more: bool,
    /// Whether this page shows the state that was asked for, or, when none was, the state of the
    /// first page. False once the state expired in between (410) and the list went on at a newer one.
    pub consistent: bool,
}

/// Reads lists.
#[derive(Debug, Clone)]
pub struct Collector {
    cluster: Cluster,
    page_size: u32,
    page_bytes: usize,
    rooms: Rooms,
}

impl Collector {
    /// A collector with pages of `page_size` objects (at least 1; [`PAGE_SIZE`] is the measured
    /// best).
    pub fn new(cluster: Cluster, page_size: u32) -> Self {
        Self {
            cluster,
            page_size: page_size.max(1),
            page_bytes: PAGE_BYTES,
            rooms: Rooms::default(),
        }
    }

    /// A collector with the measured best page size.
    pub fn with_defaults(cluster: Cluster) -> Self {
        Self::new(cluster, PAGE_SIZE)
    }

    /// The same with another limit for a page's bytes.
    #[must_use]
    pub fn with_page_bytes(mut self, most: usize) -> Self {
        self.page_bytes = most;
        self
    }

    /// The pages of one type: of one namespace or all, at exactly `resource_version` or at the
    /// newest state, all objects or those that a selector (in `kubectl -l` form) takes.
    ///
    /// When the state expires: before the first page the list begins anew at the newest state; after
    /// it the list goes on from where it was, at the newest state, with the token that the server
    /// offers for that. Either way [`Page::consistent`] says so, and no object is given twice. When
    /// the server offers no such token, the stream ends with [`Failure::Gone`].
    pub fn pages<'a>(
        &'a self,
        kind: &'a ResourceType,
        namespace: Option<&'a str>,
        resource_version: Option<&'a str>,
        label_selector: Option<&'a str>,
    ) -> impl Stream<Item = Result<Page, ClusterError>> + Send + 'a {
        let reading = Reading {
            collector: self,
            kind: Arc::new(kind.clone()),
            namespace,
            label_selector,
            exact: resource_version.map(str::to_owned),
            token: None,
            limit: self.page_size,
            about: FIRST_PAGE_BYTES,
            restarts: 0,
            consistent: true,
            done: false,
            coming: None,
            places: Arc::new(Semaphore::new(1)),
            wants_all: false,
        };
        stream::try_unfold(reading, |mut reading| async move {
            if reading.done {
                return Ok(None);
            }
            let page = reading.next_page().await?;
            Ok(Some((page, reading)))
        })
    }
}

/// Where a list stands.
struct Reading<'a> {
    collector: &'a Collector,
    kind: Arc<ResourceType>,
    namespace: Option<&'a str>,
    label_selector: Option<&'a str>,
    /// The state that was asked for; none once it has expired.
    exact: Option<String>,
    /// Where the next page begins.
    token: Option<String>,
    /// Objects in the next page: fewer when they are large.
    limit: u32,
    /// The bytes that the next page will have, about.
    about: usize,
    restarts: u32,
    consistent: bool,
    done: bool,
    /// The next page on its way.
    coming: Option<Coming>,
    /// Places for pages on their way.
    places: Arc<Semaphore>,
    /// Whether the caller has come back for more: then it wants all of the list, and one page more may be
    /// on its way.
    wants_all: bool,
}

impl Reading<'_> {
    async fn next_page(&mut self) -> Result<Page, ClusterError> {
        if self.token.is_some() && !self.wants_all {
            self.wants_all = true;
            self.places.add_permits(PAGES_COMING - 1);
        }
        loop {
            let arrived = match self.coming.take() {
                Some(coming) => coming.arrive().await,
                None => None,
            };
            let arrived = match arrived {
                Some(arrived) => arrived,
                // None was on its way, or its task was lost.
                None => self.asking().page(&self.from()).await,
            };
            match arrived {
                Ok(arrived) => return self.accept(arrived),
                Err(error) => self.recover(error)?,
            }
        }
    }

    /// How pages are asked for from here on.
    fn asking(&self) -> Asking {
        // A single object is always taken whole, whatever its size: below one there is no smaller page.
        let most = if self.limit == 1 {
            crate::limits::RESPONSE_BYTES
        } else {
            self.collector.page_bytes
        };
        Asking {
            cluster: self.collector.cluster.clone(),
            rooms: self.collector.rooms.clone(),
            path: self.path(),
            doing: self.doing(),
            about: self.about,
            most,
            places: Arc::clone(&self.places),
        }
    }

    /// Takes a page in. The next one is asked for before this one is read through: the list's metadata
    /// stand at an end of it.
    fn accept(&mut self, arrived: Arrived) -> Result<Page, ClusterError> {
        let Arrived { body, next } = arrived;
        // Pages of one type are much alike; an eighth more keeps the room from growing for most of them.
        self.about = (body.len() + body.len() / 8).clamp(FIRST_PAGE_BYTES, PAGE_BYTES);
        // Back towards full pages once the large objects are behind us.
        if body.len() < self.collector.page_bytes / 4 {
            self.limit = self.limit.saturating_mul(2).min(self.collector.page_size);
        }
        let early = page::token_at_the_ends(&body);
        self.coming = early.as_ref().and_then(|token| {
            next.filter(|coming| coming.begins_at(token))
                .or_else(|| self.asking().ahead(token.clone()))
        });
        if let Some(coming) = &self.coming {
            coming.go_on(&self.asking());
        }
        let (page, token) = page::parse(&self.kind, &body, self.consistent)
            .map_err(|cause| ClusterError::new(self.doing(), Failure::Malformed { cause }))?;
        self.token = token;
        self.done = self.token.is_none();
        if self.token != early {
            self.coming = None;
        }
        Ok(page)
    }

    /// Arranges the next attempt, or gives up.
    fn recover(&mut self, error: ClusterError) -> Result<(), ClusterError> {
        match &error.failure {
            Failure::TooLarge { .. } if self.limit > 1 => {
                self.limit = (self.limit / 4).max(1);
                Ok(())
            }
            Failure::Gone { continue_token, .. } if self.restarts < LIST_RESTARTS => {
                if self.token.is_some() && continue_token.is_none() {
                    return Err(error);
                }
                self.restarts += 1;
                if self.token.is_some() {
                    self.token.clone_from(continue_token);
                }
                self.exact = None;
                self.consistent = false;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// The path of the list, with all of its query but the place where a page begins.
    fn path(&self) -> String {
        let mut path = format!(
            "{}?limit={}",
            path_of(&self.kind, self.namespace, None),
            self.limit
        );
        if let Some(selector) = self.label_selector.filter(|selector| !selector.is_empty()) {
            path.push_str(&format!("&labelSelector={}", encoded(selector)));
        }
        path
    }

    /// Where the next page begins, as a part of the query.
    fn from(&self) -> String {
        match (&self.token, &self.exact) {
            (Some(token), _) => continued(token),
            (None, Some(exact)) => format!(
                "&resourceVersion={}&resourceVersionMatch=Exact",
                encoded(exact)
            ),
            (None, None) => String::new(),
        }
    }

    fn doing(&self) -> String {
        match self.namespace {
            Some(namespace) => format!("list {} in namespace {namespace}", self.kind),
            None => format!("list {}", self.kind),
        }
    }
}

#[cfg(test)]
mod tests;
