//! What earlier attempts at the same point have left in the store. Their packs describe themselves:
//! each leaf in a finished pack tells the names, ids and places of bodies that need not be sent
//! again. They are walked alongside the entries that come, as the parent is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::catalogue::{LayerCursor, LeafRef, Node};
use crate::error::{Error, Result};
use crate::id::{ContentId, Location, PackId, Place};
use crate::leaf::Record;
use crate::limits::ATTEMPTS_RESUMED_MAX;
use crate::objects::Objects;
use crate::pack::{self, Footer};
use crate::read::Point;

/// Leaves of one attempt in the order in which it wrote them.
type Leaves = Vec<LeafRef>;

pub(super) struct Earlier {
    objects: Arc<Objects>,
    /// Packs that may be referred to: whole ones of earlier attempts, and the parent's.
    sizes: BTreeMap<PackId, u64>,
    /// First free pack number of each attempt.
    numbers: BTreeMap<u32, u32>,
    /// Leaves and layers by their ids: an equal one is referred to instead of written.
    nodes: HashMap<ContentId, Place>,
    /// Leaves of each run by attempt.
    runs: BTreeMap<String, BTreeMap<u32, Leaves>>,
}

/// Walks over what earlier attempts wrote of one run, newest attempt first.
#[derive(Default)]
pub(super) struct EarlierRun {
    cursors: Vec<LayerCursor>,
}

impl Earlier {
    pub(super) async fn load(
        objects: &Arc<Objects>,
        point: Uuid,
        parent: Option<&Point>,
    ) -> Result<Self> {
        let mut this = Self {
            objects: Arc::clone(objects),
            sizes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            nodes: HashMap::new(),
            runs: BTreeMap::new(),
        };
        let packs = packs_of(objects, point).await?;
        for pack in packs.keys() {
            let next = this.numbers.entry(pack.attempt).or_default();
            *next = (*next).max(pack.number.saturating_add(1));
        }
        let mut attempts: Vec<u32> = this.numbers.keys().rev().copied().collect();
        attempts.truncate(ATTEMPTS_RESUMED_MAX);
        for (pack, size) in packs {
            if !attempts.contains(&pack.attempt) {
                continue;
            }
            match pack::read_footer(objects, pack, size).await {
                Ok((footer, _)) => this.take(pack, size, footer),
                // What does not open is sent again.
                Err(error) if error.is_corrupt() => {
                    tracing::warn!(pack = %pack, error = %error, "pack of an earlier attempt is damaged");
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(parent) = parent {
            this.sizes.extend(
                parent
                    .manifest()
                    .packs
                    .iter()
                    .map(|pack| (pack.pack, pack.size)),
            );
        }
        Ok(this)
    }

    fn take(&mut self, pack: PackId, size: u64, footer: Footer) {
        self.sizes.insert(pack, size);
        for section in footer.sections {
            let Some(id) = section.id else { continue };
            let place = Place {
                pack,
                offset: section.offset,
                length: section.length,
            };
            self.nodes.insert(id, place);
            if let Some(span) = section.leaf {
                let leaf = LeafRef {
                    node: Node { id, place },
                    first: span.first,
                    last: span.last,
                    records: span.records,
                };
                let attempts = self.runs.entry(span.group).or_default();
                attempts.entry(pack.attempt).or_default().push(leaf);
            }
        }
    }

    /// First number for a pack of this attempt.
    pub(super) fn next_number(&self, attempt: u32) -> u32 {
        self.numbers.get(&attempt).copied().unwrap_or(0)
    }

    /// Sizes of the packs that may be referred to.
    pub(super) fn sizes(&self) -> BTreeMap<PackId, u64> {
        self.sizes.clone()
    }

    /// Where an equal leaf or layer is already.
    pub(super) fn node(&self, id: ContentId) -> Option<Place> {
        self.nodes.get(&id).copied()
    }

    /// What earlier attempts wrote of the run of this group; to be asked for once.
    pub(super) fn start_run(&mut self, group: &str) -> EarlierRun {
        let attempts = self.runs.remove(group).unwrap_or_default();
        let cursor = |leaves| LayerCursor::new(Arc::clone(&self.objects), Leaves::from(leaves));
        EarlierRun {
            cursors: attempts.into_values().rev().map(cursor).collect(),
        }
    }

    /// Where an earlier attempt put this very body. Names come in ascending order.
    pub(super) async fn find(
        &self,
        run: &mut EarlierRun,
        name: &str,
        size: u64,
        id: ContentId,
    ) -> Result<Option<Location>> {
        let mut at = 0;
        while let Some(cursor) = run.cursors.get_mut(at) {
            match look(cursor, name).await {
                Ok(Some(Record::Live(entry)))
                    if (entry.size, entry.id) == (size, id)
                        && self.sizes.contains_key(&entry.location.frame.pack) =>
                {
                    return Ok(Some(entry.location));
                }
                Ok(_) => at += 1,
                Err(Error::Corrupt { what, why }) => {
                    tracing::warn!(what, why, "catalogue of an earlier attempt is damaged");
                    run.cursors.remove(at);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

async fn look(cursor: &mut LayerCursor, name: &str) -> Result<Option<Record>> {
    cursor.seek(name).await?;
    Ok(cursor
        .peek()
        .await?
        .filter(|record| record.name() == name)
        .cloned())
}

/// The packs in the folder of a point with their sizes, in order of attempt and number.
async fn packs_of(objects: &Objects, point: Uuid) -> Result<BTreeMap<PackId, u64>> {
    let found = objects.list(&format!("packs/{point}")).await?;
    let pack = |path: &str| path.strip_prefix("packs/")?.parse::<PackId>().ok();
    Ok(found
        .iter()
        .filter_map(|found| Some((pack(&found.path)?, found.size)))
        .collect())
}
