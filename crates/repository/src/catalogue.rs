//! The catalogue of a run: layers, each a list of leaves in order of names.
//!
//! A first point of a run has one layer. A later point whose run changed adds a small layer with
//! only the changed, new and gone names over its parent's layers, so that an unchanged object costs
//! nothing and an unchanged run one reference; newer layers hide older ones. Layers of like size
//! are merged by the writer (see `write/run.rs`), so that there are never more than a few.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::crypto::{Content, Kind};
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId, Place};
use crate::leaf::{self, Record};
use crate::objects::{Objects, from_json};
use crate::pack;

/// A reference to a leaf or to a layer's index: where it is, and the id of its plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: ContentId,
    #[serde(flatten)]
    pub(crate) place: Place,
}

/// A reference to a layer, as manifests hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerRef {
    #[serde(flatten)]
    pub(crate) index: Node,
    pub(crate) records: u64,
}

/// The index of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerIndex {
    pub(crate) leaves: Vec<LeafRef>,
}

/// A leaf, as its layer's index holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeafRef {
    #[serde(flatten)]
    pub(crate) node: Node,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) records: u32,
}

impl LayerIndex {
    /// Reads the index that a manifest refers to.
    pub(crate) async fn read(objects: &Objects, layer: &LayerRef) -> Result<Self> {
        let plaintext = read_node(objects, Kind::Layer, Content::Layer, layer.index).await?;
        let what = pack::path(layer.index.place.pack);
        let index: Self = from_json(&what, &plaintext)?;
        let records: u64 = index
            .leaves
            .iter()
            .map(|leaf| u64::from(leaf.records))
            .sum();
        if records != layer.records {
            return Err(Error::corrupt(
                what,
                "a layer has another number of records than it says",
            ));
        }
        Ok(index)
    }

    /// The packs that hold the layer's leaves.
    pub(crate) fn packs(&self) -> impl Iterator<Item = PackId> + '_ {
        self.leaves.iter().map(|leaf| leaf.node.place.pack)
    }

    /// The record with this name, if the layer has one.
    pub(crate) async fn find(&self, objects: &Objects, name: &str) -> Result<Option<Record>> {
        let at = self
            .leaves
            .partition_point(|leaf| leaf.last.as_str() < name);
        match self.leaves.get(at) {
            Some(leaf) if leaf.first.as_str() <= name => {
                let records = read_leaf(objects, leaf).await?;
                Ok(records.into_iter().find(|record| record.name() == name))
            }
            _ => Ok(None),
        }
    }
}

/// Reads a leaf and checks that it is what its reference says.
pub(crate) async fn read_leaf(objects: &Objects, leaf: &LeafRef) -> Result<Vec<Record>> {
    let plaintext = read_node(objects, Kind::Leaf, Content::Leaf, leaf.node).await?;
    let what = || format!("a leaf in {}", pack::path(leaf.node.place.pack));
    let records = leaf::parse(&plaintext).map_err(|why| Error::corrupt(what(), why))?;
    let ends = (
        records.first().map(Record::name),
        records.last().map(Record::name),
    );
    if ends != (Some(leaf.first.as_str()), Some(leaf.last.as_str()))
        || records.len() != leaf.records as usize
    {
        return Err(Error::corrupt(
            what(),
            "it does not hold what its index says",
        ));
    }
    Ok(records)
}

async fn read_node(objects: &Objects, kind: Kind, content: Content, node: Node) -> Result<Vec<u8>> {
    let plaintext = pack::read_section(objects, kind, node.place).await?;
    if objects.keys.content_id(content, &plaintext) != node.id {
        let what = format!("{} at {}", pack::path(node.place.pack), node.place.offset);
        return Err(Error::corrupt(
            what,
            "its content is not what was referred to",
        ));
    }
    Ok(plaintext)
}

/// Walks the records of one layer in order. Holds one leaf, and the next one once two were wanted one
/// after the other: who walks on need not wait for each.
pub(crate) struct LayerCursor {
    objects: Arc<Objects>,
    leaves: VecDeque<LeafRef>,
    records: std::vec::IntoIter<Record>,
    /// The first of `leaves` on its way. Dropping it ends the read.
    coming: JoinSet<Result<Vec<Record>>>,
    head: Option<Record>,
    last: Option<String>,
}

impl LayerCursor {
    pub(crate) fn new(objects: Arc<Objects>, leaves: impl Into<VecDeque<LeafRef>>) -> Self {
        let records = Vec::new().into_iter();
        Self {
            objects,
            leaves: leaves.into(),
            records,
            coming: JoinSet::new(),
            head: None,
            last: None,
        }
    }

    /// The next record, left in place.
    pub(crate) async fn peek(&mut self) -> Result<Option<&Record>> {
        if self.head.is_none() {
            self.head = self.advance().await?;
        }
        Ok(self.head.as_ref())
    }

    /// The next record, taken.
    pub(crate) async fn next(&mut self) -> Result<Option<Record>> {
        match self.head.take() {
            Some(record) => Ok(Some(record)),
            None => self.advance().await,
        }
    }

    async fn advance(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.records.next() {
                self.last = Some(record.name().to_owned());
                return Ok(Some(record));
            }
            let Some(leaf) = self.leaves.pop_front() else {
                return Ok(None);
            };
            if self.last.as_ref().is_some_and(|last| *last >= leaf.first) {
                let what = format!("a layer in {}", pack::path(leaf.node.place.pack));
                return Err(Error::corrupt(what, "its leaves do not ascend"));
            }
            let read = match self.coming.join_next().await {
                Some(Ok(read)) => read,
                // None is on its way, or its task was lost: read it here.
                Some(Err(_)) | None => read_leaf(&self.objects, &leaf).await,
            };
            self.records = read?.into_iter();
            self.read_ahead();
        }
    }

    /// Begins to read the next leaf when this is not the first.
    fn read_ahead(&mut self) {
        if self.last.is_none() {
            return;
        }
        if let Some(leaf) = self.leaves.front().cloned() {
            let objects = Arc::clone(&self.objects);
            self.coming
                .spawn(async move { read_leaf(&objects, &leaf).await });
        }
    }

    /// Passes over everything before `name`; whole leaves are not even read.
    pub(crate) async fn seek(&mut self, name: &str) -> Result<()> {
        loop {
            if self.head.is_none() && self.records.as_slice().is_empty() {
                while self
                    .leaves
                    .front()
                    .is_some_and(|leaf| leaf.last.as_str() < name)
                {
                    self.last = self.leaves.pop_front().map(|leaf| leaf.last);
                    self.coming = JoinSet::new();
                }
            }
            if self.peek().await?.is_none_or(|head| head.name() >= name) {
                return Ok(());
            }
            self.head = None;
        }
    }
}

/// Walks the records of several layers in order, newer hiding older. Holds one leaf a layer.
pub(crate) struct MergeCursor {
    /// Oldest first.
    layers: Vec<LayerCursor>,
}

impl MergeCursor {
    pub(crate) fn new(layers: Vec<LayerCursor>) -> Self {
        Self { layers }
    }

    /// The next record that is not hidden, with the number of its layer (0 is the oldest).
    pub(crate) async fn next(&mut self) -> Result<Option<(Record, usize)>> {
        let mut winner: Option<(String, usize)> = None;
        for (number, layer) in self.layers.iter_mut().enumerate() {
            if let Some(record) = layer.peek().await?
                && winner
                    .as_ref()
                    .is_none_or(|(name, _)| record.name() <= name.as_str())
            {
                winner = Some((record.name().to_owned(), number));
            }
        }
        let Some((name, number)) = winner else {
            return Ok(None);
        };
        let mut found = None;
        for layer in &mut self.layers {
            if layer
                .peek()
                .await?
                .is_some_and(|record| record.name() == name)
            {
                found = layer.next().await?;
            }
        }
        Ok(found.map(|record| (record, number)))
    }
}
