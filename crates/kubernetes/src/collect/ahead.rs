//! Pages of one list on their way.
//!
//! API servers write the metadata of a list of a built-in type in front of its items, and send them
//! while they write. So where the next page begins is known with the first bytes of a page, and it is
//! asked for then: the API server works on it while the one before is still being sent and read. How
//! many pages may be on their way is the caller's to say ([`Asking::places`]); one for which there is no
//! place is asked for later.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use super::page;
use super::rooms::Rooms;
use crate::cluster::{Cluster, ClusterError, with_body};

/// How the pages of a list are asked for.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) cluster: Cluster,
    pub(super) rooms: Rooms,
    /// The path of the list with all of its query but the place where a page begins.
    pub(super) path: String,
    /// What is being done, for errors.
    pub(super) doing: String,
    /// The bytes that a page will have, about, and at most.
    pub(super) about: usize,
    pub(super) most: usize,
    /// Places for pages on their way.
    pub(super) places: Arc<Semaphore>,
}

/// A page that was read.
pub(super) struct Arrived {
    pub(super) body: Bytes,
    /// The next one, when it was asked for already.
    pub(super) next: Option<Coming>,
}

/// A page on its way. Dropping it ends the request.
pub(super) struct Coming {
    /// Where it begins.
    token: String,
    page: AbortOnDropHandle<Result<Bytes, ClusterError>>,
    behind: Behind,
    _place: OwnedSemaphorePermit,
}

/// What is known of the page behind one that is being read.
#[derive(Clone, Default)]
struct Behind(Arc<Mutex<Next>>);

#[derive(Default)]
enum Next {
    /// Nothing, or that there is none.
    #[default]
    Unknown,
    /// Where it begins; there was no place to ask for it.
    At(String),
    /// It is on its way.
    Coming(Box<Coming>),
}

impl Asking {
    /// The page that begins where this part of the query says.
    pub(super) async fn page(&self, from: &str) -> Result<Arrived, ClusterError> {
        let behind = Behind::default();
        let body = self.page_before(from, &behind).await?;
        let next = behind.taken();
        Ok(Arrived { body, next })
    }

    async fn page_before(&self, from: &str, behind: &Behind) -> Result<Bytes, ClusterError> {
        let path = format!("{}{from}", self.path);
        let request = with_body(Method::GET, &path, None, Vec::new(), &self.doing)?;
        let glance = |first: &[u8]| {
            behind.set(page::token_before_items(first).map_or(Next::Unknown, Next::At));
            behind.ask(self);
        };
        let room = || self.rooms.take(self.about);
        let reading = self
            .cluster
            .call_into(request, &self.doing, self.most, &room, &glance);
        Ok(self.rooms.page(reading.await?))
    }

    /// Asks for the page that begins at this token, if there is a place for one more.
    pub(super) fn ahead(&self, token: String) -> Option<Coming> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let (asking, from) = (self.clone(), continued(&token));
        let behind = Behind::default();
        let before = behind.clone();
        let page = tokio::spawn(async move { asking.page_before(&from, &before).await });
        Some(Coming {
            token,
            page: AbortOnDropHandle::new(page),
            behind,
            _place: place,
        })
    }
}

impl Coming {
    /// Whether it begins there.
    pub(super) fn begins_at(&self, token: &str) -> bool {
        self.token == token
    }

    /// Asks for the page behind it, if it is known where that begins and there is a place by now.
    pub(super) fn go_on(&self, asking: &Asking) {
        self.behind.ask(asking);
    }

    /// Waits for it; none when its task was lost.
    pub(super) async fn arrive(self) -> Option<Result<Arrived, ClusterError>> {
        let body = self.page.await.ok()?;
        let next = self.behind.taken();
        Some(body.map(|body| Arrived { body, next }))
    }
}

impl Behind {
    fn set(&self, next: Next) -> Next {
        std::mem::replace(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            next,
        )
    }

    /// The next page, if it is on its way.
    fn taken(&self) -> Option<Coming> {
        match self.set(Next::Unknown) {
            Next::Coming(coming) => Some(*coming),
            Next::At(_) | Next::Unknown => None,
        }
    }

    fn ask(&self, asking: &Asking) {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Next::At(token) = &*next
            && let Some(coming) = asking.ahead(token.clone())
        {
            *next = Next::Coming(Box::new(coming));
        }
    }
}

/// The part of the query that says where a page begins. The token carries the state itself; naming that
/// again is an error.
pub(super) fn continued(token: &str) -> String {
    format!("&continue={}", encoded(token))
}

pub(super) fn encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}
