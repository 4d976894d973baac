//! The packs of a writer: one being filled, at most one on its way to the store. Frames are compressed
//! beside the writer, which goes on with the next one meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::compression::{self, BODY_LEVEL, CATALOGUE_LEVEL, Encoder};
use crate::crypto::{Kind, Role};
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId, Place};
use crate::limits::{FRAME_TARGET, PACK_ROOMS, PACK_TARGET};
use crate::objects::Objects;
use crate::pack::{self, LeafSpan, PackBuilder};

/// A frame that is being compressed beside the writer.
pub(super) struct Encoding(JoinHandle<(Encoder, Vec<u8>, Result<()>)>);

pub(super) struct Packs {
    objects: Arc<Objects>,
    /// Packs leaves and indexes, which are small.
    catalogue: Encoder,
    /// What packs frames, with room for the next one's plaintext.
    idle: Vec<(Encoder, Vec<u8>)>,
    next: PackId,
    open: Option<PackBuilder>,
    /// The last packs, whose room is used again once they are sent.
    rooms: Vec<Bytes>,
    on_its_way: Option<JoinHandle<Result<()>>>,
    /// Sizes of all packs that the point may refer to.
    sizes: BTreeMap<PackId, u64>,
    sent_bytes: u64,
    sent_packs: u64,
    /// A pack could not be sent: nothing that refers to it may be sealed.
    lost: bool,
}

impl Packs {
    pub(super) fn new(
        objects: Arc<Objects>,
        point: Uuid,
        attempt: u32,
        number: u32,
        sizes: BTreeMap<PackId, u64>,
    ) -> Result<Self> {
        let next = PackId {
            point,
            attempt,
            number,
        };
        Ok(Self {
            objects,
            catalogue: Encoder::new()?,
            idle: Vec::new(),
            next,
            open: None,
            rooms: Vec::with_capacity(PACK_ROOMS),
            on_its_way: None,
            sizes,
            sent_bytes: 0,
            sent_packs: 0,
            lost: false,
        })
    }

    /// The pack that takes the next section.
    pub(super) fn current(&self) -> PackId {
        self.next
    }

    /// Bytes in the open pack.
    pub(super) fn len(&self) -> usize {
        self.open.as_ref().map_or(0, PackBuilder::len)
    }

    pub(super) fn size(&self, pack: PackId) -> Option<u64> {
        self.sizes.get(&pack).copied()
    }

    /// Bytes and packs sent.
    pub(super) fn sent(&self) -> (u64, u64) {
        (self.sent_bytes, self.sent_packs)
    }

    pub(super) fn count_sent(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
    }

    /// Begins to compress a frame. Returns room for the next one as well.
    pub(super) fn encode(&mut self, frame: Vec<u8>) -> Result<(Encoding, Vec<u8>)> {
        let (mut encoder, room) = match self.idle.pop() {
            Some(idle) => idle,
            None => (Encoder::new()?, Vec::new()),
        };
        let task = compression::beside(frame.len(), move || {
            let compressed = encoder.compress(&frame, BODY_LEVEL);
            (encoder, frame, compressed)
        });
        Ok((Encoding(task), room))
    }

    /// Waits for a frame and appends it to the open pack. May be dropped and called again with the
    /// same frame as long as it has not returned.
    pub(super) async fn place(&mut self, encoding: &mut Encoding) -> Result<Place> {
        let (encoder, mut frame, compressed) =
            (&mut encoding.0).await.map_err(|e| Error::Internal {
                doing: "compressing a frame",
                why: e.to_string(),
            })?;
        compressed?;
        self.open_one()?;
        let place = self.open.as_mut().ok_or_else(none_is_open)?.add(
            Kind::Frame,
            &encoder.payload(&frame),
            None,
            None,
            &self.objects.random,
        )?;
        frame.clear();
        // One frame with a very large body must not keep its room for the rest of the point.
        frame.shrink_to(2 * FRAME_TARGET);
        self.idle.push((encoder, frame));
        Ok(place)
    }

    /// Appends a leaf or an index to the open pack.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        plaintext: &[u8],
        id: Option<ContentId>,
        leaf: Option<LeafSpan>,
    ) -> Result<Place> {
        self.catalogue.compress(plaintext, CATALOGUE_LEVEL)?;
        self.open_one()?;
        let payload = self.catalogue.payload(plaintext);
        let open = self.open.as_mut().ok_or_else(none_is_open)?;
        open.add(kind, &payload, id, leaf, &self.objects.random)
    }

    /// Opens a pack when none is.
    fn open_one(&mut self) -> Result<()> {
        if self.open.is_none() {
            let path = pack::path(self.next);
            let key = self.objects.keys.object_key(Role::Pack, &path)?;
            let room = self.room();
            self.open = Some(PackBuilder::new(self.next, key, room));
        }
        Ok(())
    }

    /// The room of a pack that the store has, or a new one. Packs are some MiB each: memory of that
    /// size, asked for and given back, is what fragments a heap.
    fn room(&mut self) -> BytesMut {
        let sent = self.rooms.iter().position(Bytes::is_unique);
        let room = sent.map(|at| self.rooms.swap_remove(at).try_into_mut());
        match room {
            Some(Ok(room)) => room,
            // The first pack of a small point is small.
            _ if self.sent_packs == 0 => BytesMut::new(),
            _ => BytesMut::with_capacity(PACK_TARGET + 2 * FRAME_TARGET),
        }
    }

    /// Remembers the room of a pack that is about to be sent.
    fn keep_room(&mut self, pack: &Bytes, capacity: usize) {
        // A pack with a very large body must not keep its room for the rest of the point.
        if capacity <= 3 * PACK_TARGET && self.rooms.len() < PACK_ROOMS {
            self.rooms.push(pack.clone());
        }
    }

    /// Finishes the open pack, if there is one, and starts to send it. Waits for the one before.
    pub(super) async fn send(&mut self) -> Result<()> {
        self.wait().await?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        self.lost = true;
        let finished = open.finish(&self.objects.random)?;
        self.lost = false;
        let size = finished.bytes.len() as u64;
        self.keep_room(&finished.bytes, finished.capacity);
        self.sizes.insert(finished.id, size);
        self.sent_bytes += size;
        self.sent_packs += 1;
        self.next.number += 1;
        let objects = Arc::clone(&self.objects);
        self.on_its_way = Some(tokio::spawn(async move {
            let path = pack::path(finished.id);
            // Other bytes under this name: another writer of the same attempt is at work.
            match objects.create(&path, vec![finished.bytes]).await? {
                true => Ok(()),
                false => Err(Error::Exists { what: path }),
            }
        }));
        Ok(())
    }

    /// Waits until the store has what was sent. May be dropped and called again.
    pub(super) async fn wait(&mut self) -> Result<()> {
        if let Some(task) = &mut self.on_its_way {
            let done = task.await.unwrap_or_else(|e| {
                Err(Error::Internal {
                    doing: "sending a pack",
                    why: e.to_string(),
                })
            });
            self.on_its_way = None;
            self.lost |= done.is_err();
            return done;
        }
        if self.lost {
            let why = "an earlier pack could not be sent; begin a new attempt";
            return Err(Error::Misuse {
                point: self.next.point,
                why,
            });
        }
        Ok(())
    }
}

fn none_is_open() -> Error {
    Error::Internal {
        doing: "appending to a pack",
        why: "none is open".into(),
    }
}

impl Drop for Packs {
    /// A writer that is dropped stops sending.
    fn drop(&mut self) {
        if let Some(task) = &self.on_its_way {
            task.abort();
        }
    }
}
