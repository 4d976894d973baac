//! A leaf of the catalogue: records of one run in strictly ascending order of names (bytes). Binary,
//! because it is most of what a listing reads; `docs/format.md` has it byte by byte.
//!
//! A record is live (metadata, size, content id and location of the body) or says that the name is
//! gone, which hides the records of older layers.

use bytes::Bytes;
use uuid::Uuid;

use crate::id::{ContentId, Location, PackId, Place};
use crate::limits::{META_MAX, NAME_MAX};

/// An entry of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name within its run.
    pub name: String,
    /// The writer's own facts about the entry.
    pub meta: Bytes,
    /// Length of the body, bytes.
    pub size: u64,
    /// Where the body is.
    pub location: Location,
    /// Id of the body's content.
    pub id: ContentId,
}

/// One record of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Live(Entry),
    Gone(String),
}

impl Record {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Live(entry) => &entry.name,
            Self::Gone(name) => name,
        }
    }
}

const GONE: u8 = 0;
const LIVE: u8 = 1;

/// Collects records into the plaintext of one leaf.
#[derive(Default)]
pub(crate) struct LeafBuilder {
    packs: Vec<PackId>,
    records: Vec<u8>,
    count: u32,
    first: String,
    last: String,
}

/// The plaintext of a leaf with what its index says about it.
pub(crate) struct BuiltLeaf {
    pub(crate) plaintext: Vec<u8>,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) records: u32,
}

impl LeafBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Plaintext bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.packs.len() * 24
    }

    pub(crate) fn push(&mut self, record: &Record) {
        if self.count == 0 {
            self.first = record.name().to_owned();
        }
        record.name().clone_into(&mut self.last);
        self.count += 1;
        match record {
            Record::Gone(name) => {
                self.records.push(GONE);
                put_bytes(&mut self.records, name.as_bytes());
            }
            Record::Live(entry) => {
                let pack = self.pack_index(entry.location.frame.pack);
                self.records.push(LIVE);
                put_bytes(&mut self.records, entry.name.as_bytes());
                put_bytes(&mut self.records, &entry.meta);
                put_number(&mut self.records, entry.size);
                self.records.extend_from_slice(&entry.id.0);
                put_number(&mut self.records, pack);
                put_number(&mut self.records, u64::from(entry.location.frame.offset));
                put_number(&mut self.records, u64::from(entry.location.frame.length));
                put_number(&mut self.records, u64::from(entry.location.within));
            }
        }
    }

    fn pack_index(&mut self, pack: PackId) -> u64 {
        let known = self.packs.iter().rposition(|known| *known == pack);
        let index = known.unwrap_or_else(|| {
            self.packs.push(pack);
            self.packs.len() - 1
        });
        index as u64
    }

    /// Takes the leaf and leaves the builder empty.
    pub(crate) fn finish(&mut self) -> BuiltLeaf {
        let Self {
            packs,
            records,
            count,
            first,
            last,
        } = std::mem::take(self);
        let mut plaintext = Vec::with_capacity(records.len() + packs.len() * 24 + 10);
        put_number(&mut plaintext, packs.len() as u64);
        for pack in packs {
            plaintext.extend_from_slice(pack.point.as_bytes());
            plaintext.extend_from_slice(&pack.attempt.to_be_bytes());
            plaintext.extend_from_slice(&pack.number.to_be_bytes());
        }
        put_number(&mut plaintext, u64::from(count));
        plaintext.extend_from_slice(&records);
        BuiltLeaf {
            plaintext,
            first,
            last,
            records: count,
        }
    }
}

/// Reads the plaintext of a leaf. The error says what is wrong.
pub(crate) fn parse(plaintext: &[u8]) -> Result<Vec<Record>, &'static str> {
    let mut from = Reader(plaintext);
    let pack_count = from.number()?;
    let mut packs = Vec::new();
    for _ in 0..pack_count {
        packs.push(PackId {
            point: Uuid::from_bytes(from.array()?),
            attempt: u32::from_be_bytes(from.array()?),
            number: u32::from_be_bytes(from.array()?),
        });
    }
    let count = from.number()?;
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..count {
        let record = from.record(&packs)?;
        if records
            .last()
            .is_some_and(|last| last.name() >= record.name())
        {
            return Err("its names do not ascend");
        }
        records.push(record);
    }
    if from.0.is_empty() {
        Ok(records)
    } else {
        Err("something follows its last record")
    }
}

struct Reader<'a>(&'a [u8]);

const SHORT: &str = "it is cut short";

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*head)
    }

    fn bytes(&mut self, limit: usize) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        if length > limit {
            return Err("a field is longer than it may be");
        }
        let (head, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(head)
    }

    /// LEB128: seven bits a byte, the lowest first, the top bit says that more follow.
    fn number(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number is too large")
    }

    fn small(&mut self) -> Result<u32, &'static str> {
        u32::try_from(self.number()?).map_err(|_| "a number is too large")
    }

    fn record(&mut self, packs: &[PackId]) -> Result<Record, &'static str> {
        let [tag] = self.array()?;
        let name = std::str::from_utf8(self.bytes(NAME_MAX)?).map_err(|_| "a name is not UTF-8")?;
        let name = name.to_owned();
        match tag {
            GONE => Ok(Record::Gone(name)),
            LIVE => {
                let meta = Bytes::copy_from_slice(self.bytes(META_MAX)?);
                let size = self.number()?;
                let id = ContentId(self.array()?);
                let index = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                let pack = *packs.get(index).ok_or("a record names an unknown pack")?;
                let frame = Place {
                    pack,
                    offset: self.small()?,
                    length: self.small()?,
                };
                let location = Location {
                    frame,
                    within: self.small()?,
                };
                Ok(Record::Live(Entry {
                    name,
                    meta,
                    size,
                    location,
                    id,
                }))
            }
            _ => Err("a record has an unknown tag"),
        }
    }
}

pub(crate) fn put_number(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// Appends what an entry adds to the content id of its run.
pub(crate) fn commit_entry(to: &mut Vec<u8>, name: &str, meta: &[u8], size: u64, id: ContentId) {
    put_bytes(to, name.as_bytes());
    put_bytes(to, meta);
    put_number(to, size);
    to.extend_from_slice(&id.0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let live = (
            ".{0,40}",
            prop::collection::vec(any::<u8>(), 0..200),
            0_u64..1 << 40,
            any::<[u8; 32]>(),
            (
                any::<u128>(),
                0_u32..3,
                any::<u32>(),
                any::<u32>(),
                any::<u32>(),
            ),
        )
            .prop_map(
                |(name, meta, size, id, (point, number, offset, length, within))| {
                    let pack = PackId {
                        point: Uuid::from_u128(point % 3),
                        attempt: 1,
                        number,
                    };
                    let frame = Place {
                        pack,
                        offset,
                        length,
                    };
                    let location = Location { frame, within };
                    Record::Live(Entry {
                        name,
                        meta: meta.into(),
                        size,
                        location,
                        id: ContentId(id),
                    })
                },
            );
        prop_oneof![4 => live, 1 => ".{0,40}".prop_map(Record::Gone)]
    }

    proptest! {
        #[test]
        fn a_leaf_reads_back_as_it_was_built(records in prop::collection::vec(record(), 0..40)) {
            let mut records = records;
            records.sort_by(|a, b| a.name().cmp(b.name()));
            records.dedup_by(|a, b| a.name() == b.name());
            let mut builder = LeafBuilder::default();
            records.iter().for_each(|record| builder.push(record));
            let built = builder.finish();
            prop_assert_eq!(parse(&built.plaintext), Ok(records));
            prop_assert!(builder.is_empty());
        }

        #[test]
        fn no_bytes_make_parsing_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }
    }
}
