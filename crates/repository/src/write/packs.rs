//! The packs of a writer: one being filled, at most one on its way to the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::crypto::{Kind, Role};
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId, Place};
use crate::objects::Objects;
use crate::pack::{self, LeafSpan, PackBuilder};

pub(super) struct Packs {
    objects: Arc<Objects>,
    next: PackId,
    open: Option<PackBuilder>,
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
    ) -> Self {
        let next = PackId {
            point,
            attempt,
            number,
        };
        Self {
            objects,
            next,
            open: None,
            on_its_way: None,
            sizes,
            sent_bytes: 0,
            sent_packs: 0,
            lost: false,
        }
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

    /// Appends a section to the open pack.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        plaintext: &[u8],
        id: Option<ContentId>,
        leaf: Option<LeafSpan>,
    ) -> Result<Place> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let key = self
                    .objects
                    .keys
                    .object_key(Role::Pack, &pack::path(self.next))?;
                self.open.insert(PackBuilder::new(self.next, key))
            }
        };
        open.add(kind, plaintext, id, leaf, &self.objects.random)
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
        self.sizes.insert(finished.id, finished.size);
        self.sent_bytes += finished.size;
        self.sent_packs += 1;
        self.next.number += 1;
        let objects = Arc::clone(&self.objects);
        self.on_its_way = Some(tokio::spawn(async move {
            let path = pack::path(finished.id);
            // Other bytes under this name: another writer of the same attempt is at work.
            match objects.create(&path, finished.parts).await? {
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

impl Drop for Packs {
    /// A writer that is dropped stops sending.
    fn drop(&mut self) {
        if let Some(task) = &self.on_its_way {
            task.abort();
        }
    }
}
