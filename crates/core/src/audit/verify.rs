//! Whether a chain of entries is what was written.

use std::fmt;

use super::{Entry, Head};

/// The first thing that is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The entry does not say what it said when it was written.
    Edited {
        /// Its number.
        sequence: u64,
    },
    /// Entries are missing in between.
    Missing {
        /// The last one before.
        after: u64,
        /// The next that is there.
        next: u64,
    },
    /// An entry comes where an earlier one was already.
    OutOfOrder {
        /// The last one before.
        after: u64,
        /// The one that follows it.
        next: u64,
    },
    /// The entry is whole, but does not follow the one before it: one of the two was replaced.
    Detached {
        /// Its number.
        sequence: u64,
    },
    /// The chain ends before an entry of which it is known that it was there.
    CutOff {
        /// The last entry that is there.
        last: u64,
        /// The one that was there.
        known: u64,
    },
    /// There is an entry with that number, but it is not the one that was known.
    Rewritten {
        /// Its number.
        sequence: u64,
    },
    /// The chain begins after an entry of which it is known that it was there, so that nothing says
    /// whether it was this chain.
    BeginsTooLate {
        /// The number of the first entry.
        first: u64,
        /// The one that was known.
        known: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { sequence } => write!(f, "entry {sequence} was edited"),
            Self::Missing { after, next } if *next == after + 2 => {
                write!(f, "entry {} is missing", after + 1)
            }
            Self::Missing { after, next } => {
                write!(f, "entries {} to {} are missing", after + 1, next - 1)
            }
            Self::OutOfOrder { after, next } => {
                write!(f, "entry {next} stands behind entry {after}")
            }
            Self::Detached { sequence } => write!(
                f,
                "entry {sequence} does not follow the entry before it: one of the two was replaced"
            ),
            Self::CutOff { last, known } => write!(
                f,
                "the log ends with entry {last}, but had an entry {known}: its end was cut off"
            ),
            Self::Rewritten { sequence } => write!(
                f,
                "entry {sequence} is another than the one that is known: the log was rewritten"
            ),
            Self::BeginsTooLate { first, known } => write!(
                f,
                "the log begins with entry {first}, behind the known entry {known}: nothing says that it is \
                 the same log"
            ),
        }
    }
}

/// A chain that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were read.
    pub entries: u64,
    /// What the first of them follows; none when there was none.
    pub base: Option<Head>,
    /// The last of them.
    pub head: Option<Head>,
}

/// Reads a chain, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    base: Option<Head>,
    head: Option<Head>,
    entries: u64,
    anchors: Vec<Head>,
}

impl Verifier {
    /// Of a chain that begins anywhere: what its first entry follows is believed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its first entry must follow this one.
    #[must_use]
    pub const fn following(mut self, base: Head) -> Self {
        self.base = Some(base);
        self.head = Some(base);
        self
    }

    /// The chain must hold this head, which somebody kept elsewhere, at its end or before.
    #[must_use]
    pub fn expecting(mut self, anchor: Head) -> Self {
        self.anchors.push(anchor);
        self
    }

    /// Reads the next entry.
    ///
    /// # Errors
    /// The first thing that is wrong; what comes behind it says nothing any more.
    pub fn read(&mut self, entry: &Entry) -> Result<(), Fault> {
        let Some(sequence) = entry.sequence.checked_sub(1) else {
            return Err(Fault::Edited { sequence: 0 });
        };
        let before = *self.head.get_or_insert(Head {
            sequence,
            hash: entry.previous,
        });
        self.base.get_or_insert(before);
        let (after, next) = (before.sequence, entry.sequence);
        if next <= after {
            return Err(Fault::OutOfOrder { after, next });
        }
        if next > after + 1 {
            return Err(Fault::Missing { after, next });
        }
        if !entry.is_as_hashed() {
            return Err(Fault::Edited { sequence: next });
        }
        if entry.previous != before.hash {
            return Err(Fault::Detached { sequence: next });
        }
        self.heed_anchors(before)?;
        self.heed_anchors(entry.head())?;
        self.head = Some(entry.head());
        self.entries += 1;
        Ok(())
    }

    /// An anchor that is met is not looked for any more.
    fn heed_anchors(&mut self, head: Head) -> Result<(), Fault> {
        let here = |anchor: &Head| anchor.sequence == head.sequence;
        let is_another = self
            .anchors
            .iter()
            .any(|anchor| here(anchor) && *anchor != head);
        if is_another {
            return Err(Fault::Rewritten {
                sequence: head.sequence,
            });
        }
        self.anchors.retain(|anchor| !here(anchor));
        Ok(())
    }

    /// What was read, once there is no entry any more.
    ///
    /// # Errors
    /// When the known head is not in it.
    pub fn end(mut self) -> Result<Verified, Fault> {
        if let Some(head) = self.head {
            self.heed_anchors(head)?;
        }
        if let Some(anchor) = self.anchors.first() {
            let last = self.head.map_or(0, |head| head.sequence);
            let first = self.base.map_or(0, |base| base.sequence) + 1;
            let known = anchor.sequence;
            return Err(if last < known {
                Fault::CutOff { last, known }
            } else {
                Fault::BeginsTooLate { first, known }
            });
        }
        Ok(Verified {
            entries: self.entries,
            base: self.base,
            head: self.head,
        })
    }
}
