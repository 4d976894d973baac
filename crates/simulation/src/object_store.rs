//! An object store that fails on order, and that can be told to hang for good.
//!
//! It wraps any store; before each call it asks the rule that a test gave it. A call that hangs is
//! how a test stops a process at exactly that call: it waits until the call is reached, then drops
//! the process's future, as SIGKILL would.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What a call to the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Writes an object.
    Put,
    /// Reads an object or a part of it.
    Get,
    /// Lists.
    List,
    /// Deletes.
    Delete,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Pass,
    /// It is not carried out and never answers.
    Hang,
    /// It is carried out, but the answer never comes.
    HangAfter,
    /// It is carried out after this time.
    Delay(Duration),
    /// Connection refused.
    Unreachable,
    /// The credential does not allow it.
    Denied,
    /// The store is full.
    Full,
}

type Rule = Box<dyn Fn(u64, Operation, &Path) -> Verdict + Send + Sync>;

/// A store with a rule. Clones share the rule and the counter.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    rule: Arc<Mutex<Rule>>,
    calls: Arc<AtomicU64>,
    hung: Arc<tokio::sync::Notify>,
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FaultyStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "faulty {}", self.inner)
    }
}

impl FaultyStore {
    /// Wraps a store; every call passes until [`FaultyStore::decide`] says otherwise.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            rule: Arc::new(Mutex::new(Box::new(|_, _, _| Verdict::Pass))),
            calls: Arc::default(),
            hung: Arc::default(),
        }
    }

    /// Sets the rule and starts counting calls from 1 again.
    pub fn decide(&self, rule: impl Fn(u64, Operation, &Path) -> Verdict + Send + Sync + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
        self.calls.store(0, Ordering::SeqCst);
    }

    /// Lets every call pass from now on.
    pub fn heal(&self) {
        self.decide(|_, _, _| Verdict::Pass);
    }

    /// Calls since the rule was set.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Resolves once a call hangs.
    pub async fn hung(&self) {
        self.hung.notified().await;
    }

    async fn verdict(&self, operation: Operation, path: &Path) -> Result<bool> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let verdict =
            (self.rule.lock().unwrap_or_else(PoisonError::into_inner))(call, operation, path);
        match verdict {
            Verdict::Pass => Ok(false),
            Verdict::HangAfter => Ok(true),
            Verdict::Hang => self.hang().await,
            Verdict::Delay(time) => {
                tokio::time::sleep(time).await;
                Ok(false)
            }
            Verdict::Unreachable => Err(generic(std::io::ErrorKind::ConnectionRefused)),
            Verdict::Full => Err(generic(std::io::ErrorKind::StorageFull)),
            Verdict::Denied => Err(Error::PermissionDenied {
                path: path.to_string(),
                source: "injected: the credential does not allow this".into(),
            }),
        }
    }

    async fn hang(&self) -> Result<bool> {
        self.hung.notify_one();
        std::future::pending().await
    }

    async fn end<T>(&self, lost: bool, answer: Result<T>) -> Result<T> {
        if lost {
            self.hang().await?;
        }
        answer
    }
}

fn generic(kind: std::io::ErrorKind) -> Error {
    Error::Generic {
        store: "faulty",
        source: Box::new(std::io::Error::from(kind)),
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let lost = self.verdict(Operation::Put, location).await?;
        self.end(lost, self.inner.put_opts(location, payload, options).await)
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let lost = self.verdict(Operation::Put, location).await?;
        self.end(lost, self.inner.put_multipart_opts(location, options).await)
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let lost = self.verdict(Operation::Get, location).await?;
        self.end(lost, self.inner.get_opts(location, options).await)
            .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let lost = self.verdict(Operation::Get, location).await?;
        self.end(lost, self.inner.get_ranges(location, ranges).await)
            .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let checked = locations.then(move |location| {
            let store = store.clone();
            async move {
                let location = location?;
                store.verdict(Operation::Delete, &location).await?;
                Ok(location)
            }
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned();
        futures::stream::once(async move {
            let at = prefix.clone().unwrap_or_default();
            let lost = match store.verdict(Operation::List, &at).await {
                Ok(lost) => lost,
                Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
            };
            // An answer that never comes is a list that never begins.
            match store.end(lost, Ok(())).await {
                Ok(()) => store.inner.list(prefix.as_ref()),
                Err(error) => futures::stream::once(async { Err(error) }).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let at = prefix.cloned().unwrap_or_default();
        let lost = self.verdict(Operation::List, &at).await?;
        self.end(lost, self.inner.list_with_delimiter(prefix).await)
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let lost = self.verdict(Operation::Put, to).await?;
        self.end(lost, self.inner.copy_opts(from, to, options).await)
            .await
    }
}
