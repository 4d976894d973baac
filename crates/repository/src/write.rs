//! Writing a recovery point: runs of entries in order of names, several of them side by side, then
//! the seal.
//!
//! The writer walks its parent's run alongside the entries that come and writes only what differs.
//! It holds one open pack (4 MiB) and one pack on its way, and for each open run one open frame
//! (≤ 0.5 MiB and one body) and one that is being compressed, one open leaf and one leaf for each
//! layer of the parent's run; nothing grows with the number of entries but the list of leaves (about
//! 0.3 bytes an entry).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::crypto::Content;
use crate::error::{Error, Result, check_size};
use crate::id::{ContentId, Location, PackId, Place};
use crate::leaf::{Entry, Record};
use crate::limits::{
    BODY_MAX, FRAME_TARGET, FRAME_WAITING_MAX, GROUP_MAX, HEADER_MAX, LEAF_TARGET, META_MAX,
    NAME_MAX, PACK_TARGET, RUNS_MAX, RUNS_OPEN_MAX,
};
use crate::manifest::RunInfo;
use crate::objects::{Objects, to_json};
use crate::read::Point;

mod claim;
mod packs;
mod resume;
mod run;
mod seal;

pub(crate) use claim::Claim;
use packs::Packs;
use resume::Earlier;
use run::{OpenRun, Passed};

/// How a point is to be written.
#[derive(Clone, Debug, Default)]
pub struct WriterOptions {
    /// A point of the same repository to deduplicate against. One that does not exist (any more) or
    /// does not open is passed over; `Stats::parent` says what was used.
    pub parent: Option<Uuid>,
    /// Number of this attempt at the point: higher than that of any writer that may still be alive.
    pub attempt: u32,
}

/// Bytes after which frames, leaves and packs are closed. No part of the format: tests write small
/// points in many pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) frame: usize,
    pub(crate) leaf: usize,
    pub(crate) pack: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            frame: FRAME_TARGET,
            leaf: LEAF_TARGET,
            pack: PACK_TARGET,
        }
    }
}

/// What writing a point came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries in the point.
    pub entries: u64,
    /// Bytes of all their bodies.
    pub bytes: u64,
    /// Entries that are as the parent has them.
    pub unchanged: u64,
    /// Entries whose body an earlier attempt had sent.
    pub resumed: u64,
    /// Bytes that this attempt sent to the store.
    pub new_bytes: u64,
    /// Packs that this attempt sent.
    pub packs: u64,
    /// The parent that was used.
    pub parent: Option<Uuid>,
}

/// A sealed point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Keyed hash of the manifest, in hexadecimal. Whoever keeps it can tell a replaced manifest
    /// from the real one.
    pub digest: String,
    /// What writing came to.
    pub stats: Stats,
}

/// Writes one recovery point.
///
/// [`Error::TooLarge`] and [`Error::OutOfOrder`] change nothing: the caller may leave the entry out
/// (and say so) and go on. After any other error of `put`, `start_run` or `finish_run` the writer is
/// of no further use: drop it and begin again with the next attempt, which finds what was sent. If the error is a damaged parent
/// ([`Error::Corrupt`]), begin without it. `seal` may be called again when the manifest could not be
/// written; it refuses when a pack could not.
pub struct PointWriter {
    objects: Arc<Objects>,
    sizes: Sizes,
    point: Uuid,
    claim: String,
    parent: Option<Point>,
    earlier: Earlier,
    packs: Packs,
    /// The run that `put` and `finish_run` speak of.
    run: Option<OpenRun>,
    /// The other open runs by group.
    aside: BTreeMap<String, OpenRun>,
    /// Finished runs in order of groups.
    runs: Vec<RunInfo>,
    /// Packs that hold something of the point.
    needed: BTreeSet<PackId>,
    needed_last: Option<PackId>,
    stats: Stats,
    /// A call that changes the point has begun and not come to its end.
    working: bool,
}

impl PointWriter {
    pub(crate) async fn begin(
        objects: Arc<Objects>,
        point: Uuid,
        options: WriterOptions,
        sizes: Sizes,
    ) -> Result<Self> {
        let (claim, parent) = claim::stake(&objects, point, &options).await?;
        let earlier = Earlier::load(&objects, point, parent.as_ref()).await?;
        let packs = Packs::new(
            Arc::clone(&objects),
            point,
            options.attempt,
            earlier.next_number(options.attempt),
            earlier.sizes(),
        )?;
        let stats = Stats {
            parent: parent.as_ref().map(Point::id),
            ..Stats::default()
        };
        Ok(Self {
            objects,
            sizes,
            point,
            claim,
            parent,
            earlier,
            packs,
            run: None,
            aside: BTreeMap::new(),
            runs: Vec::new(),
            needed: BTreeSet::new(),
            needed_last: None,
            stats,
            working: false,
        })
    }

    /// What writing has come to so far.
    pub fn stats(&self) -> Stats {
        let (new_bytes, packs) = self.packs.sent();
        Stats {
            new_bytes,
            packs,
            ..self.stats.clone()
        }
    }

    /// Starts the run of a group and turns to it. Groups come in any order, each once, and up to
    /// [`RUNS_OPEN_MAX`] runs may be open at the same time.
    pub async fn start_run(
        &mut self,
        group: impl Into<String>,
        header: serde_json::Value,
    ) -> Result<()> {
        let group = group.into();
        self.ready()?;
        let open = self.aside.len() + usize::from(self.run.is_some());
        if open >= RUNS_OPEN_MAX {
            return Err(self.misuse("more runs were started than may be open at once"));
        }
        if self.is_open(&group) || self.place_of(&group).is_ok() {
            return Err(self.misuse("a run was started a second time"));
        }
        check_size("the name of a run", group.len(), GROUP_MAX)?;
        check_size("the header of a run", to_json(&header)?.len(), HEADER_MAX)?;
        check_size("the list of runs", self.runs.len() + open + 1, RUNS_MAX)?;
        let hasher = self.objects.keys.hasher(Content::Run);
        let earlier = self.earlier.start_run(&group);
        let run = OpenRun::new(group, header, hasher, self.parent.as_ref(), earlier).await?;
        self.set_aside();
        self.run = Some(run);
        Ok(())
    }

    /// Turns to an open run: `put` and `finish_run` speak of it from now on.
    pub fn turn_to(&mut self, group: &str) -> Result<()> {
        self.ready()?;
        if self.run.as_ref().is_some_and(|run| run.group == group) {
            return Ok(());
        }
        let Some(run) = self.aside.remove(group) else {
            return Err(self.misuse("a run was turned to that is not open"));
        };
        self.set_aside();
        self.run = Some(run);
        Ok(())
    }

    fn set_aside(&mut self) {
        if let Some(before) = self.run.take() {
            self.aside.insert(before.group.clone(), before);
        }
    }

    fn is_open(&self, group: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.group == group) || self.aside.contains_key(group)
    }

    /// Where a finished run stands, or would stand, among the others.
    fn place_of(&self, group: &str) -> Result<usize, usize> {
        self.runs
            .binary_search_by(|run| run.group.as_str().cmp(group))
    }

    /// Adds an entry to the open run. Names come in strictly ascending order of bytes (the order of
    /// an API server's lists, if the name is `namespace/name`).
    pub async fn put(
        &mut self,
        name: impl Into<String>,
        meta: impl Into<Bytes>,
        body: Bytes,
    ) -> Result<()> {
        self.put_parts(name, meta, [Bytes::new(), body]).await
    }

    /// [`PointWriter::put`] of a body whose bytes lie in two parts that follow one another. Where they
    /// are parted makes no difference to what is stored.
    pub async fn put_parts(
        &mut self,
        name: impl Into<String>,
        meta: impl Into<Bytes>,
        body: [Bytes; 2],
    ) -> Result<()> {
        let (name, meta) = (name.into(), meta.into());
        let length = body.iter().map(Bytes::len).sum();
        check_size("the name of an entry", name.len(), NAME_MAX)?;
        check_size("the metadata of an entry", meta.len(), META_MAX)?;
        check_size("the body of an entry", length, BODY_MAX)?;
        let keys = &self.objects.keys;
        let id = keys.content_id_of(Content::Body, body.iter().map(|part| &**part));
        let size = length as u64;
        self.ready()?;
        self.run()?.count(&name, &meta, size, id)?;
        self.working = true;
        self.put_counted(name, meta, body, size, id).await?;
        self.working = false;
        Ok(())
    }

    /// Compares the entry with the parent's and with what earlier attempts sent, and lets its record
    /// wait for its turn.
    async fn put_counted(
        &mut self,
        name: String,
        meta: Bytes,
        body: [Bytes; 2],
        size: u64,
        id: ContentId,
    ) -> Result<()> {
        let before = loop {
            let passed = self.run()?.pass_parent(Some(&name)).await?;
            self.write_waiting().await?;
            if let Passed::At(before) = passed {
                break before;
            }
        };
        if let Some((entry, carried)) = &before
            && (&entry.meta, entry.size, entry.id) == (&meta, size, id)
        {
            let (entry, carried) = (entry.clone(), *carried);
            self.need(entry.location.frame.pack);
            self.stats.unchanged += 1;
            if carried {
                self.run()?.wait(Record::Live(entry), false);
            }
            return self.write_waiting().await;
        }
        self.run()?.changed = true;
        let known = match before {
            Some((entry, _)) if (entry.size, entry.id) == (size, id) => Some(entry.location),
            _ => self.find_earlier(&name, size, id).await?,
        };
        let awaits_frame = known.is_none();
        let location = known.unwrap_or(Location {
            // The frame's place is known when it is written; until then the record waits.
            frame: Place {
                pack: self.packs.current(),
                offset: 0,
                length: 0,
            },
            within: self.run()?.frame.len() as u32,
        });
        if awaits_frame {
            let frame = &mut self.run()?.frame;
            body.iter().for_each(|part| frame.extend_from_slice(part));
        }
        self.run()?.wait(
            Record::Live(Entry {
                name,
                meta,
                size,
                location,
                id,
            }),
            awaits_frame,
        );
        self.write_waiting().await
    }

    /// Where an earlier attempt has put this very body.
    async fn find_earlier(
        &mut self,
        name: &str,
        size: u64,
        id: ContentId,
    ) -> Result<Option<Location>> {
        let Some(run) = &mut self.run else {
            return Ok(None);
        };
        let found = self.earlier.find(&mut run.earlier, name, size, id).await?;
        self.stats.resumed += u64::from(found.is_some());
        Ok(found)
    }

    /// Ends the run that was started or turned to last.
    pub async fn finish_run(&mut self) -> Result<()> {
        self.ready()?;
        self.run()?;
        self.working = true;
        self.finish_open_run().await?;
        self.working = false;
        Ok(())
    }

    async fn finish_open_run(&mut self) -> Result<()> {
        loop {
            let passed = self.run()?.pass_parent(None).await?;
            self.write_waiting().await?;
            if let Passed::At(_) = passed {
                break;
            }
        }
        // Twice: the frame that is being compressed, then the one that was open.
        self.turn_frame().await?;
        self.turn_frame().await?;
        self.flush_leaf()?;
        let Some(mut run) = self.run.take() else {
            return Err(self.misuse("a run was finished that was not started"));
        };
        let layers = if run.changed || run.has_written() {
            run.write_index(&mut self.packs, &self.earlier, &self.objects)?
        } else {
            run.parent_layers()
        };
        self.needed.extend(run.packs_of(&layers));
        self.stats.entries += run.entries;
        self.stats.bytes += run.bytes;
        let place = self.place_of(&run.group).unwrap_or_else(|place| place);
        self.runs.insert(
            place,
            RunInfo {
                group: run.group,
                header: run.header,
                entries: run.entries,
                bytes: run.bytes,
                content: ContentId(*run.content.finalize().as_bytes()),
                layers,
            },
        );
        if self.packs.len() >= self.sizes.pack {
            self.send_pack().await?;
        }
        Ok(())
    }

    /// Waits until the store has all packs that were finished so far.
    #[cfg(test)]
    pub(crate) async fn packs_sent(&mut self) -> Result<()> {
        self.packs.wait().await
    }

    /// Hands records to the leaf as far as their bodies have a place, and closes the frame when it
    /// is full or too much waits for it.
    async fn write_waiting(&mut self) -> Result<()> {
        let waiting = self.run()?.waiting();
        if self.run()?.frame.len() >= self.sizes.frame
            || waiting.records >= FRAME_WAITING_MAX
            || waiting.bytes >= self.sizes.frame
        {
            return self.turn_frame().await;
        }
        self.drain()
    }

    /// Writes the frame that was being compressed, gives its place to the records that wait for it,
    /// and begins to compress the open one. Which frame comes when thus depends on the entries
    /// alone, never on how fast one was compressed: what resumes makes the same leaves again.
    async fn turn_frame(&mut self) -> Result<()> {
        if let Some(run) = &mut self.run
            && let Some(encoding) = &mut run.encoding
        {
            let place = self.packs.place(encoding).await?;
            run.encoding = None;
            run.settle(place);
        }
        if let Some(frame) = self.run()?.turn_frame() {
            let (encoding, room) = self.packs.encode(frame)?;
            let run = self.run()?;
            run.encoding = Some(encoding);
            run.frame = room;
        }
        self.drain()?;
        if self.packs.len() >= self.sizes.pack {
            self.send_pack().await?;
        }
        Ok(())
    }

    /// Moves settled records into the leaf, closing leaves that are full.
    fn drain(&mut self) -> Result<()> {
        let (point, leaf) = (self.point, self.sizes.leaf);
        while let Some(record) = self.run()?.settled() {
            if let Record::Live(entry) = &record {
                self.need(entry.location.frame.pack);
            }
            if self.run()?.leaf_must_close(&record, point, leaf) {
                self.flush_leaf()?;
            }
            self.run()?.push(&record, point);
        }
        Ok(())
    }

    /// Notes that the point needs a pack. Neighbours are in the same one, mostly.
    fn need(&mut self, pack: PackId) {
        if self.needed_last != Some(pack) {
            self.needed.insert(pack);
            self.needed_last = Some(pack);
        }
    }

    fn flush_leaf(&mut self) -> Result<()> {
        match &mut self.run {
            Some(run) => run.flush_leaf(&mut self.packs, &self.earlier, &self.objects),
            None => Ok(()),
        }
    }

    /// Sends the open pack with leaves that describe all bodies in it: what resumes finds them by
    /// those. A record of another run that still waits does so for a frame that is not in the pack.
    async fn send_pack(&mut self) -> Result<()> {
        for run in self.run.iter_mut().chain(self.aside.values_mut()) {
            run.flush_leaf(&mut self.packs, &self.earlier, &self.objects)?;
        }
        self.packs.send().await
    }

    fn run(&mut self) -> Result<&mut OpenRun> {
        let why = "an entry was given outside a run";
        self.run.as_mut().ok_or(Error::Misuse {
            point: self.point,
            why,
        })
    }

    /// Refuses to go on after a call that failed or was dropped half-way: what it left out would be
    /// missing from the point.
    fn ready(&self) -> Result<()> {
        if self.working {
            return Err(self.misuse("an earlier call failed or was dropped; begin a new attempt"));
        }
        Ok(())
    }

    fn misuse(&self, why: &'static str) -> Error {
        Error::Misuse {
            point: self.point,
            why,
        }
    }
}
