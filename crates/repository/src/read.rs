//! Reading a recovery point: entries in order with bounded memory, one body at random.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use uuid::Uuid;

use crate::catalogue::{LayerCursor, LayerIndex, MergeCursor};
use crate::crypto::{Content, Kind};
use crate::error::{Error, Result};
use crate::id::{ContentId, Place};
use crate::leaf::{Entry, Record};
use crate::limits::{BODY_MAX, FRAMES_CACHED};
use crate::manifest::{Manifest, RunInfo};
use crate::objects::Objects;
use crate::pack;

/// A frame that is being read or has been: many readers of neighbours cause one read.
type Frame = Arc<tokio::sync::OnceCell<Bytes>>;

/// A sealed recovery point. Cheap to clone.
#[derive(Clone)]
pub struct Point {
    inner: Arc<Inner>,
}

struct Inner {
    objects: Arc<Objects>,
    manifest: Manifest,
    digest: String,
    /// Frames last read, newest first: neighbours in order of names are neighbours in a frame.
    frames: Mutex<VecDeque<(Place, Frame)>>,
}

impl std::fmt::Debug for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Point")
            .field("id", &self.id())
            .field("digest", &self.digest())
            .finish()
    }
}

impl Point {
    pub(crate) async fn open(objects: Arc<Objects>, id: Uuid) -> Result<Self> {
        let (manifest, digest) = Manifest::read(&objects, id).await?;
        let digest = digest.to_string();
        let frames = Mutex::default();
        Ok(Self {
            inner: Arc::new(Inner {
                objects,
                manifest,
                digest,
                frames,
            }),
        })
    }

    /// The point's id.
    pub fn id(&self) -> Uuid {
        self.inner.manifest.point
    }

    /// The caller's facts, as given to `seal`.
    pub fn header(&self) -> &serde_json::Value {
        &self.inner.manifest.header
    }

    /// The time given to `seal`.
    pub fn created(&self) -> jiff::Timestamp {
        self.inner.manifest.created
    }

    /// The point against which this one was deduplicated.
    pub fn parent(&self) -> Option<Uuid> {
        self.inner.manifest.parent
    }

    /// The runs in ascending order of groups.
    pub fn runs(&self) -> &[RunInfo] {
        &self.inner.manifest.runs
    }

    /// Keyed hash over the manifest, in hexadecimal: it commits to every byte of the point.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Number of packs that the point needs, its own and those of earlier points.
    pub fn pack_count(&self) -> u64 {
        self.inner.manifest.packs.len() as u64
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    pub(crate) fn objects(&self) -> &Arc<Objects> {
        &self.inner.objects
    }

    pub(crate) fn run(&self, group: &str) -> Result<&RunInfo> {
        let runs = &self.inner.manifest.runs;
        runs.binary_search_by(|run| run.group.as_str().cmp(group))
            .ok()
            .and_then(|at| runs.get(at))
            .ok_or_else(|| Error::NotFound {
                what: format!("run \"{group}\" of recovery point {}", self.id()),
            })
    }

    pub(crate) async fn indexes(&self, run: &RunInfo) -> Result<Vec<LayerIndex>> {
        let mut indexes = Vec::with_capacity(run.layers.len());
        for layer in &run.layers {
            indexes.push(LayerIndex::read(&self.inner.objects, layer).await?);
        }
        Ok(indexes)
    }

    pub(crate) fn merge(&self, indexes: Vec<LayerIndex>) -> MergeCursor {
        let cursor =
            |index: LayerIndex| LayerCursor::new(Arc::clone(&self.inner.objects), index.leaves);
        MergeCursor::new(indexes.into_iter().map(cursor).collect())
    }

    /// The entries of a run in ascending order of names. Holds one leaf of each layer in memory. An
    /// error ends the stream.
    pub fn entries(&self, group: &str) -> BoxStream<'static, Result<Entry>> {
        let (point, group) = (self.clone(), group.to_owned());
        try_unfold(None::<MergeCursor>, move |cursor| {
            let (point, group) = (point.clone(), group.clone());
            async move {
                let mut cursor = match cursor {
                    Some(cursor) => cursor,
                    None => point.merge(point.indexes(point.run(&group)?).await?),
                };
                while let Some((record, _)) = cursor.next().await? {
                    if let Record::Live(entry) = record {
                        return Ok(Some((entry, Some(cursor))));
                    }
                }
                Ok(None)
            }
        })
        .boxed()
    }

    /// The entry with this name, by way of one leaf a layer at most.
    pub async fn find(&self, group: &str, name: &str) -> Result<Option<Entry>> {
        let run = match self.run(group) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        for layer in run.layers.iter().rev() {
            let index = LayerIndex::read(&self.inner.objects, layer).await?;
            match index.find(&self.inner.objects, name).await? {
                Some(Record::Live(entry)) => return Ok(Some(entry)),
                Some(Record::Gone(_)) => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    /// The body of an entry of this point, checked against the entry's id.
    pub async fn read(&self, entry: &Entry) -> Result<Bytes> {
        let what = || {
            format!(
                "the body of \"{}\" in {}",
                entry.name, entry.location.frame.pack
            )
        };
        let frame = self.frame(entry.location.frame).await?;
        let start = entry.location.within as usize;
        let length = usize::try_from(entry.size)
            .ok()
            .filter(|length| *length <= BODY_MAX);
        let body = length
            .and_then(|length| start.checked_add(length))
            .filter(|end| *end <= frame.len() && start <= *end)
            .map(|end| frame.slice(start..end))
            .ok_or_else(|| Error::corrupt(what(), "it lies outside its frame"))?;
        self.check_body(&body, entry.id, what)?;
        Ok(body)
    }

    fn check_body(&self, body: &[u8], id: ContentId, what: impl Fn() -> String) -> Result<()> {
        if self.inner.objects.keys.content_id(Content::Body, body) == id {
            Ok(())
        } else {
            Err(Error::corrupt(
                what(),
                "its content is not what the entry says",
            ))
        }
    }

    async fn frame(&self, place: Place) -> Result<Bytes> {
        let frame = self.cached(place);
        let read = || async {
            pack::read_section(&self.inner.objects, Kind::Frame, place)
                .await
                .map(Bytes::from)
        };
        frame.get_or_try_init(read).await.cloned()
    }

    /// The frame's place in the cache, moved to the front.
    fn cached(&self, place: Place) -> Frame {
        let mut frames = self
            .inner
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let at = frames.iter().position(|(known, _)| *known == place);
        let known = at.and_then(|at| frames.remove(at)).map(|(_, frame)| frame);
        let frame = known.unwrap_or_default();
        frames.push_front((place, Arc::clone(&frame)));
        frames.truncate(FRAMES_CACHED);
        frame
    }
}
