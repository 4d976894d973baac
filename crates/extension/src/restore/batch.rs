//! Entries that are handled together.

use strongroom_repository::Entry;

use super::sequence::Run;
use crate::limits::{RESTORE_BATCH, RESTORE_BATCH_BYTES};

/// An entry that the selection takes.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    /// Its place in the sequence.
    pub(super) position: u64,
    /// Its type.
    pub(super) run: &'a Run,
    pub(super) entry: Entry,
}

/// Entries in the order of the sequence, of one wave.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    chosen: Vec<Chosen<'a>>,
    bytes: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn push(&mut self, chosen: Chosen<'a>) {
        self.bytes += chosen.entry.size;
        self.chosen.push(chosen);
    }

    /// Whether it has as much as one batch may have.
    pub(super) fn is_full(&self) -> bool {
        self.chosen.len() >= RESTORE_BATCH || self.bytes >= RESTORE_BATCH_BYTES
    }

    /// Empties it.
    pub(super) fn take(&mut self) -> Vec<Chosen<'a>> {
        self.bytes = 0;
        std::mem::take(&mut self.chosen)
    }
}
