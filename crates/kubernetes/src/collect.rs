//! Reading all objects of a type, page by page, as the very bytes that the API server sent.
//!
//! Contract: memory is bounded by one page, whatever the type holds. An item's bytes are never
//! parsed and written again, so unknown fields, large numbers and the order of keys survive. A list
//! leaves `apiVersion` and `kind` out of the items of built-in types; they are put in front of the
//! bytes, and nothing else is touched. Items come in the server's order, by namespace and name.

mod item;
mod page;

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use http::Method;
use strongroom_core::object::{ObjectFacts, ResourceType};

use crate::cluster::{Cluster, ClusterError, Failure, path_of};
use crate::limits::{LIST_RESTARTS, PAGE_BYTES, PAGE_SIZE};

/// One object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// What decisions need to know of it.
    pub facts: ObjectFacts,
    /// The API server's bytes, with `apiVersion` and `kind`.
    pub raw: Bytes,
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
}

impl Collector {
    /// A collector with pages of `page_size` objects (at least 1; [`PAGE_SIZE`] is the measured
    /// best).
    pub fn new(cluster: Cluster, page_size: u32) -> Self {
        Self {
            cluster,
            page_size: page_size.max(1),
            page_bytes: PAGE_BYTES,
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
            restarts: 0,
            consistent: true,
            done: false,
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
    restarts: u32,
    consistent: bool,
    done: bool,
}

impl Reading<'_> {
    async fn next_page(&mut self) -> Result<Page, ClusterError> {
        let doing = self.doing();
        loop {
            match self.fetch(&doing).await {
                Ok(body) => return self.accept(body, &doing),
                Err(error) => self.recover(error)?,
            }
        }
    }

    async fn fetch(&self, doing: &str) -> Result<Bytes, ClusterError> {
        let request =
            crate::cluster::with_body(Method::GET, &self.path(), None, Vec::new(), doing)?;
        // A single object is always taken whole, whatever its size: below one there is no smaller page.
        let most = if self.limit == 1 {
            crate::limits::RESPONSE_BYTES
        } else {
            self.collector.page_bytes
        };
        self.collector
            .cluster
            .call_bounded(request, doing, most)
            .await
            .map(|reply| reply.body)
    }

    fn accept(&mut self, body: Bytes, doing: &str) -> Result<Page, ClusterError> {
        let size = body.len();
        let (page, token) = page::parse(&self.kind, &body, self.consistent)
            .map_err(|cause| ClusterError::new(doing, Failure::Malformed { cause }))?;
        self.token = token;
        self.done = self.token.is_none();
        // Back towards full pages once the large objects are behind us.
        if size < self.collector.page_bytes / 4 {
            self.limit = self.limit.saturating_mul(2).min(self.collector.page_size);
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

    fn path(&self) -> String {
        let encoded = |value: &str| {
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let mut path = format!(
            "{}?limit={}",
            path_of(&self.kind, self.namespace, None),
            self.limit
        );
        if let Some(selector) = self.label_selector.filter(|selector| !selector.is_empty()) {
            path.push_str(&format!("&labelSelector={}", encoded(selector)));
        }
        match (&self.token, &self.exact) {
            // The token carries the state itself; naming it again is an error.
            (Some(token), _) => path.push_str(&format!("&continue={}", encoded(token))),
            (None, Some(exact)) => path.push_str(&format!(
                "&resourceVersion={}&resourceVersionMatch=Exact",
                encoded(exact)
            )),
            (None, None) => {}
        }
        path
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
