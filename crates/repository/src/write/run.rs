//! The run that is being written: its walk over the parent's run, the records that wait for their
//! frame, and the leaves of its new layer.
//!
//! A new layer holds what differs from the parent. So that layers stay few and their sum small, the
//! newest layers of like size are absorbed into the new one: each layer that stays is at least twice
//! as large as all newer ones together, as in a log-structured merge tree. An entry is rewritten
//! about log2(points) times over a repository's life, and never because of an unchanged neighbour.

use std::collections::{BTreeSet, VecDeque};

use blake3::Hasher;
use uuid::Uuid;

use crate::catalogue::{LayerIndex, LayerRef, LeafRef, MergeCursor, Node};
use crate::crypto::{Content, Kind};
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId, Place};
use crate::leaf::{Entry, LeafBuilder, Record, commit_entry};
use crate::limits::{FRAME_WAITING_MAX, LAYERS_MAX};
use crate::objects::{Objects, to_json};
use crate::pack::LeafSpan;
use crate::read::Point;
use crate::write::packs::{Encoding, Packs};
use crate::write::resume::{Earlier, EarlierRun};

pub(super) struct OpenRun {
    pub(super) group: String,
    pub(super) header: serde_json::Value,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) content: Hasher,
    /// Something differs from the parent.
    pub(super) changed: bool,
    /// Bodies that are to become the run's next frame.
    pub(super) frame: Vec<u8>,
    /// The frame before it, which is being compressed.
    pub(super) encoding: Option<Encoding>,
    /// Counts the run's frames: the number of the open one.
    frame_number: u64,
    pub(super) earlier: EarlierRun,
    last: Option<String>,
    /// Room for what an entry adds to the run's content id.
    commitment: Vec<u8>,
    parent: Option<ParentRun>,
    /// Records in order, each with the number of the frame that it waits for.
    waiting: VecDeque<(Record, Option<u64>)>,
    load: Waiting,
    leaf: LeafBuilder,
    /// Pack of this point with the leaf's last body.
    leaf_pack: Option<PackId>,
    index: LayerIndex,
}

/// What has come to wait since the open frame began.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) records: usize,
    pub(super) bytes: usize,
    /// Records whose body is in the open frame.
    pub(super) awaiting: usize,
}

/// How far the walk over the parent got.
pub(super) enum Passed {
    /// Much was passed over; write what waits, then go on.
    More,
    /// At the name: the parent's entry, and whether the new layer has to carry it.
    At(Option<(Entry, bool)>),
}

struct ParentRun {
    layers: Vec<LayerRef>,
    /// Packs of each layer's index and leaves.
    packs: Vec<BTreeSet<PackId>>,
    /// First layer that the new one absorbs.
    absorb: usize,
    cursor: MergeCursor,
    head: Option<(Record, usize)>,
}

impl OpenRun {
    pub(super) async fn new(
        group: String,
        header: serde_json::Value,
        content: Hasher,
        parent: Option<&Point>,
        earlier: EarlierRun,
    ) -> Result<Self> {
        let parent = match parent {
            Some(parent) => ParentRun::open(parent, &group).await?,
            None => None,
        };
        Ok(Self {
            group,
            header,
            entries: 0,
            bytes: 0,
            content,
            changed: parent.is_none(),
            frame: Vec::new(),
            encoding: None,
            frame_number: 0,
            earlier,
            last: None,
            commitment: Vec::new(),
            parent,
            waiting: VecDeque::new(),
            load: Waiting::default(),
            leaf: LeafBuilder::default(),
            leaf_pack: None,
            index: LayerIndex::default(),
        })
    }

    /// Counts an entry in and checks the order.
    pub(super) fn count(
        &mut self,
        name: &str,
        meta: &[u8],
        size: u64,
        id: ContentId,
    ) -> Result<()> {
        if let Some(last) = self.last.as_ref().filter(|last| last.as_str() >= name) {
            return Err(Error::OutOfOrder {
                previous: last.clone(),
                name: name.to_owned(),
            });
        }
        name.clone_into(self.last.get_or_insert_default());
        self.entries += 1;
        self.bytes += size;
        self.commitment.clear();
        commit_entry(&mut self.commitment, name, meta, size, id);
        self.content.update(&self.commitment);
        Ok(())
    }

    /// Walks the parent to this name, or to its end. What is passed over is gone from the run.
    pub(super) async fn pass_parent(&mut self, name: Option<&str>) -> Result<Passed> {
        for _ in 0..FRAME_WAITING_MAX / 2 {
            let Some(parent) = &mut self.parent else {
                return Ok(Passed::At(None));
            };
            if parent.head.is_none() {
                parent.head = parent.cursor.next().await?;
            }
            let ahead = |record: &Record| name.is_some_and(|name| record.name() > name);
            let Some((record, layer)) = parent.head.take_if(|(record, _)| !ahead(record)) else {
                return Ok(Passed::At(None));
            };
            let absorbed = layer >= parent.absorb;
            // Below the absorbed layers an older record of the name may be left to hide.
            let hides = parent.absorb > 0;
            let here = name == Some(record.name());
            match record {
                Record::Live(entry) if here => return Ok(Passed::At(Some((entry, absorbed)))),
                Record::Gone(_) if here => return Ok(Passed::At(None)),
                Record::Live(entry) => {
                    self.changed = true;
                    if hides {
                        self.wait(Record::Gone(entry.name), false);
                    }
                }
                Record::Gone(name) => {
                    if absorbed && hides {
                        self.wait(Record::Gone(name), false);
                    }
                }
            }
        }
        Ok(Passed::More)
    }

    /// Puts a record behind those that wait.
    pub(super) fn wait(&mut self, record: Record, awaits_frame: bool) {
        if awaits_frame || !self.waiting.is_empty() {
            self.load.records += 1;
            self.load.bytes += weight(&record);
            self.load.awaiting += usize::from(awaits_frame);
        }
        let awaits = awaits_frame.then_some(self.frame_number);
        self.waiting.push_back((record, awaits));
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.load
    }

    /// Hands out the open frame, if a record waits for it, and begins the next one.
    pub(super) fn turn_frame(&mut self) -> Option<Vec<u8>> {
        let load = std::mem::take(&mut self.load);
        (load.awaiting > 0).then(|| {
            self.frame_number += 1;
            std::mem::take(&mut self.frame)
        })
    }

    /// Gives its place to the records that wait for the frame before the open one.
    pub(super) fn settle(&mut self, place: Place) {
        for (record, awaits) in &mut self.waiting {
            match awaits {
                Some(number) if *number >= self.frame_number => return,
                Some(_) => {
                    *awaits = None;
                    if let Record::Live(entry) = record {
                        entry.location.frame = place;
                    }
                }
                None => {}
            }
        }
    }

    /// The next record if it waits for nothing.
    pub(super) fn settled(&mut self) -> Option<Record> {
        self.waiting
            .pop_front_if(|(_, awaits)| awaits.is_none())
            .map(|(record, _)| record)
    }

    /// True when the leaf is full, or when the next body is in another pack of this point. A leaf
    /// thus never spans two new packs: what resumes after a kill makes the same leaves again and
    /// refers to those that are there.
    pub(super) fn leaf_must_close(&self, record: &Record, point: Uuid, target: usize) -> bool {
        let pack = own_pack(record, point);
        let other = pack.is_some() && self.leaf_pack.is_some() && pack != self.leaf_pack;
        !self.leaf.is_empty() && (other || self.leaf.len() >= target)
    }

    pub(super) fn push(&mut self, record: &Record, point: Uuid) {
        self.leaf_pack = own_pack(record, point).or(self.leaf_pack);
        self.leaf.push(record);
    }

    /// Writes the open leaf, or refers to an equal one of an earlier attempt.
    pub(super) fn flush_leaf(
        &mut self,
        packs: &mut Packs,
        earlier: &Earlier,
        objects: &Objects,
    ) -> Result<()> {
        if self.leaf.is_empty() {
            return Ok(());
        }
        self.leaf_pack = None;
        let built = self.leaf.finish();
        let id = objects.keys.content_id(Content::Leaf, &built.plaintext);
        let span = LeafSpan {
            group: self.group.clone(),
            first: built.first.clone(),
            last: built.last.clone(),
            records: built.records,
        };
        let place = match earlier.node(id) {
            Some(place) => place,
            None => packs.add(Kind::Leaf, &built.plaintext, Some(id), Some(span))?,
        };
        let node = Node { id, place };
        let (first, last, records) = (built.first, built.last, built.records);
        self.index.leaves.push(LeafRef {
            node,
            first,
            last,
            records,
        });
        Ok(())
    }

    /// True when the new layer has records.
    pub(super) fn has_written(&self) -> bool {
        !self.index.leaves.is_empty()
    }

    /// Writes the index of the new layer and returns the layers of the run.
    pub(super) fn write_index(
        &mut self,
        packs: &mut Packs,
        earlier: &Earlier,
        objects: &Objects,
    ) -> Result<Vec<LayerRef>> {
        let kept = self.parent.as_ref().map_or(0, |parent| parent.absorb);
        let mut layers = self.parent_layers();
        layers.truncate(kept);
        if self.has_written() {
            let plaintext = to_json(&self.index)?;
            let id = objects.keys.content_id(Content::Layer, &plaintext);
            let place = match earlier.node(id) {
                Some(place) => place,
                None => packs.add(Kind::Layer, &plaintext, Some(id), None)?,
            };
            let records = self
                .index
                .leaves
                .iter()
                .map(|leaf| u64::from(leaf.records))
                .sum();
            layers.push(LayerRef {
                index: Node { id, place },
                records,
            });
        }
        Ok(layers)
    }

    /// The layers of the parent's run.
    pub(super) fn parent_layers(&self) -> Vec<LayerRef> {
        self.parent
            .as_ref()
            .map(|parent| parent.layers.clone())
            .unwrap_or_default()
    }

    /// The packs that hold indexes and leaves of these layers.
    pub(super) fn packs_of(&self, layers: &[LayerRef]) -> BTreeSet<PackId> {
        let mut needed: BTreeSet<PackId> = self.index.packs().collect();
        needed.extend(layers.iter().map(|layer| layer.index.place.pack));
        if let Some(parent) = &self.parent {
            for (layer, packs) in parent.layers.iter().zip(&parent.packs) {
                if layers.contains(layer) {
                    needed.extend(packs);
                }
            }
        }
        needed
    }
}

impl ParentRun {
    async fn open(parent: &Point, group: &str) -> Result<Option<Self>> {
        let run = match parent.run(group) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let indexes = parent.indexes(run).await?;
        let packs = indexes
            .iter()
            .map(|index| index.packs().collect())
            .collect();
        let sizes: Vec<u64> = run.layers.iter().map(|layer| layer.records).collect();
        Ok(Some(Self {
            layers: run.layers.clone(),
            packs,
            absorb: absorb(&sizes),
            cursor: parent.merge(indexes),
            head: None,
        }))
    }
}

/// The first of these layers (oldest first, by their numbers of records) that a new layer absorbs;
/// their count when it absorbs none.
fn absorb(sizes: &[u64]) -> usize {
    let mut from = sizes.len();
    let mut newer = 0_u64;
    for (at, size) in sizes.iter().enumerate().rev() {
        // The newest layer alone is no reason: what comes over it may be far smaller.
        if newer > 0 && newer.saturating_mul(2) > *size {
            from = at;
        } else if newer > 0 {
            break;
        }
        newer = newer.saturating_add(*size);
    }
    if sizes.len() >= LAYERS_MAX {
        from.min(sizes.len() / 2)
    } else {
        from
    }
}

fn own_pack(record: &Record, point: Uuid) -> Option<PackId> {
    match record {
        Record::Live(entry) => Some(entry.location.frame.pack).filter(|pack| pack.point == point),
        Record::Gone(_) => None,
    }
}

/// Roughly the memory of a waiting record, bytes.
fn weight(record: &Record) -> usize {
    let fixed = std::mem::size_of::<Record>() + record.name().len();
    match record {
        Record::Live(entry) => fixed + entry.meta.len(),
        Record::Gone(_) => fixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_absorbed_only_when_they_are_of_like_size() {
        assert_eq!(absorb(&[]), 0);
        assert_eq!(absorb(&[100_000]), 1, "an increment over a full layer");
        assert_eq!(absorb(&[100_000, 1_000]), 2);
        assert_eq!(absorb(&[100_000, 1_000, 1_000]), 1, "two alike become one");
        assert_eq!(absorb(&[100_000, 3_000, 1_000]), 3);
        assert_eq!(
            absorb(&[100_000, 40_000, 20_001]),
            0,
            "the base when increments outgrow half"
        );
    }

    #[test]
    fn a_thousand_increments_keep_layers_few_and_rewrite_little() {
        let (mut layers, mut written) = (vec![100_000_u64], 0);
        for _ in 0..1000 {
            let from = absorb(&layers);
            let new: u64 = layers.drain(from..).sum::<u64>() + 100;
            written += new;
            layers.push(new.min(100_000));
            assert!(layers.len() <= LAYERS_MAX, "{layers:?}");
        }
        assert!(written / 1000 < 100 * 20, "{}", written / 1000);
    }
}
