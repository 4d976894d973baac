//! A store that fails on purpose: at a chosen call, before or after the effect, or from a call on;
//! it lets tests set its clock.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call has no effect and fails; the next works.
    Fail,
    /// The call has its effect and its reply is lost; the next works.
    LoseReply,
    /// A write stores half of what it was given and fails; the next works.
    Cut,
    /// The call and all later ones fail without effect: the process is dead.
    Die,
    /// The call has its effect, its reply is lost and all later ones fail.
    DieAfter,
    /// This call and the next two are refused with "slow down".
    Throttle,
    /// A write is refused because the store is full; the next works.
    Full,
    /// A read ends half-way as if that were all; the next works.
    ReadShort,
    /// A read gives a wrong byte in its middle; the next works.
    ReadWrong,
}

#[derive(Default)]
struct State {
    calls: u64,
    fault: Option<(u64, Fault)>,
    clock: Duration,
    written: HashMap<Path, Duration>,
    /// Reads so far, with the bytes that each gave.
    reads: Vec<(Path, u64)>,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
}

enum Verdict {
    Go,
    Fail,
    DoThenFail,
    Cut,
    Full,
    Short,
    Wrong,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::default(),
            state: Arc::default(),
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets the `call`-th call from now (counted from 1) go wrong; forgets earlier faults.
    pub(crate) fn fail_at(&self, call: u64, fault: Fault) {
        let mut state = self.state();
        state.calls = 0;
        state.fault = Some((call, fault));
    }

    /// Lets everything work; true if the fault had been reached.
    pub(crate) fn heal(&self) -> bool {
        let mut state = self.state();
        let calls = state.calls;
        state.fault.take().is_some_and(|(call, _)| calls >= call)
    }

    /// Moves the store's clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        self.state().clock += time;
    }

    /// Moves the store's clock back, as far as it was moved forward.
    pub(crate) fn turn_back(&self, time: Duration) {
        let mut state = self.state();
        state.clock = state.clock.saturating_sub(time);
    }

    /// The reads since the last call of this, with the bytes that each gave.
    pub(crate) fn take_reads(&self) -> Vec<(Path, u64)> {
        std::mem::take(&mut self.state().reads)
    }

    fn verdict(&self) -> Verdict {
        let mut state = self.state();
        state.calls += 1;
        let calls = state.calls;
        match state.fault {
            Some((at, Fault::Fail)) if calls == at => Verdict::Fail,
            Some((at, Fault::LoseReply)) if calls == at => Verdict::DoThenFail,
            Some((at, Fault::Cut)) if calls == at => Verdict::Cut,
            Some((at, Fault::Die)) if calls >= at => Verdict::Fail,
            Some((at, Fault::DieAfter)) if calls == at => Verdict::DoThenFail,
            Some((at, Fault::DieAfter)) if calls > at => Verdict::Fail,
            Some((at, Fault::Full)) if calls == at => Verdict::Full,
            Some((at, Fault::ReadShort)) if calls == at => Verdict::Short,
            Some((at, Fault::ReadWrong)) if calls == at => Verdict::Wrong,
            Some((at, Fault::Throttle)) if calls >= at && calls < at + 3 => Verdict::Fail,
            _ => Verdict::Go,
        }
    }

    fn dated(&self, mut meta: ObjectMeta) -> ObjectMeta {
        if let Some(written) = self.state().written.get(&meta.location) {
            meta.last_modified += *written;
        }
        meta
    }
}

fn failure() -> Error {
    Error::Generic {
        store: "Faulty",
        source: "503 SlowDown, on purpose".into(),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let verdict = self.verdict();
        let payload = match verdict {
            Verdict::Fail => return Err(failure()),
            Verdict::Full => {
                return Err(Error::Generic {
                    store: "Faulty",
                    source: std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
                });
            }
            Verdict::Cut => {
                let bytes = bytes::Bytes::from(payload);
                bytes.slice(..bytes.len() / 2).into()
            }
            _ => payload,
        };
        let result = self.inner.put_opts(location, payload, options).await?;
        {
            let mut state = self.state();
            let clock = state.clock;
            state.written.insert(location.clone(), clock);
        }
        match verdict {
            Verdict::Go | Verdict::Short | Verdict::Wrong => Ok(result),
            _ => Err(failure()),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(failure())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let verdict = self.verdict();
        if !matches!(
            verdict,
            Verdict::Go | Verdict::Short | Verdict::Wrong | Verdict::Full
        ) {
            return Err(failure());
        }
        let head = options.head;
        let mut result = self.inner.get_opts(location, options).await?;
        result.meta = self.dated(result.meta);
        if head {
            return Ok(result);
        }
        let read = (location.clone(), result.range.end - result.range.start);
        self.state().reads.push(read);
        if matches!(verdict, Verdict::Go | Verdict::Full) {
            return Ok(result);
        }
        let (meta, range) = (result.meta.clone(), result.range.clone());
        let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
        let mut bytes = result.bytes().await?.to_vec();
        let middle = bytes.len() / 2;
        match (verdict, bytes.get_mut(middle)) {
            (Verdict::Short, _) => bytes.truncate(middle),
            (_, Some(byte)) => *byte ^= 4,
            _ => {}
        }
        let stream = futures::stream::iter([Ok(bytes::Bytes::from(bytes))]).boxed();
        Ok(GetResult {
            payload: object_store::GetResultPayload::Stream(stream),
            meta,
            range,
            attributes,
            extensions,
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.verdict() {
            Verdict::Go | Verdict::Full | Verdict::Short | Verdict::Wrong => {
                self.inner.delete_stream(locations)
            }
            Verdict::DoThenFail => self
                .inner
                .delete_stream(locations)
                .map(|done| done.and(Err(failure())))
                .boxed(),
            _ => locations.map(|_| Err(failure())).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.verdict() {
            Verdict::Go | Verdict::Full | Verdict::Short | Verdict::Wrong => {
                let this = self.clone();
                self.inner
                    .list(prefix)
                    .map(move |meta| meta.map(|meta| this.dated(meta)))
                    .boxed()
            }
            _ => futures::stream::iter([Err(failure())]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(failure())
    }
}
