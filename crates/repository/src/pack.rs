//! Packs: `preamble (8) || section … || footer section || footer length (u32, big endian) ||
//! preamble (8)`. The footer lists every section, so that a pack describes itself: the catalogue of
//! a point can be rebuilt from its packs alone, and a writer finds what earlier attempts sent.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::compression::{CATALOGUE_LEVEL, Encoder, Payload};
use crate::crypto::{Kind, ObjectKey, Role, SEAL_OVERHEAD};
use crate::entropy::RandomStream;
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId, Place};
use crate::limits::{FOOTER_MAX, FRAME_MAX, LAYER_MAX, LEAF_MAX, PACK_MAX};
use crate::objects::{
    Objects, PREAMBLE, after_preamble, from_json, open_section, preamble, to_json,
};

/// Length of what follows the footer section.
const TRAILER: usize = 4 + PREAMBLE;

/// Bytes read from the end of a pack at first: enough for the footer of nearly every pack.
const FOOTER_GUESS: u64 = 16 * 1024;

/// Where a pack is, below the repository's prefix.
pub(crate) fn path(pack: PackId) -> String {
    format!("packs/{pack}")
}

/// One section of a pack, as its footer tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Content id of a leaf's or layer's plaintext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ContentId>,
    /// What a leaf holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leaf: Option<LeafSpan>,
}

/// What a leaf in a pack holds: the run, and the first and last of its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeafSpan {
    pub(crate) group: String,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) records: u32,
}

/// The footer of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footer {
    pub(crate) sections: Vec<Section>,
}

/// Largest plaintext of a section of this kind.
fn limit(kind: Kind) -> usize {
    match kind {
        Kind::Frame => FRAME_MAX,
        Kind::Leaf => LEAF_MAX,
        Kind::Layer => LAYER_MAX,
        Kind::Footer => FOOTER_MAX,
        Kind::Document => 0,
    }
}

/// A pack being filled, in memory until it is sent.
pub(crate) struct PackBuilder {
    id: PackId,
    key: ObjectKey,
    bytes: BytesMut,
    sections: Vec<Section>,
}

/// A pack ready to be sent.
pub(crate) struct FinishedPack {
    pub(crate) id: PackId,
    pub(crate) bytes: Bytes,
    /// The room that its bytes lie in.
    pub(crate) capacity: usize,
}

impl PackBuilder {
    /// An empty pack, in this room.
    pub(crate) fn new(id: PackId, key: ObjectKey, mut room: BytesMut) -> Self {
        room.clear();
        room.extend_from_slice(&preamble(Role::Pack));
        Self {
            id,
            key,
            bytes: room,
            sections: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Seals and appends a section.
    pub(crate) fn add(
        &mut self,
        kind: Kind,
        payload: &Payload<'_>,
        id: Option<ContentId>,
        leaf: Option<LeafSpan>,
        random: &RandomStream,
    ) -> Result<Place> {
        let place = Place {
            pack: self.id,
            offset: self.small(self.bytes.len())?,
            length: self.small(SEAL_OVERHEAD + payload.len())?,
        };
        self.key.seal_onto(&mut self.bytes, kind, payload, random)?;
        if kind != Kind::Footer {
            let (offset, length) = (place.offset, place.length);
            self.sections.push(Section {
                kind,
                offset,
                length,
                id,
                leaf,
            });
        }
        Ok(place)
    }

    fn small(&self, value: usize) -> Result<u32> {
        u32::try_from(value).map_err(|_| Error::TooLarge {
            what: path(self.id),
            size: value as u64,
            limit: PACK_MAX as u64,
        })
    }

    /// Adds footer and trailer.
    pub(crate) fn finish(mut self, random: &RandomStream) -> Result<FinishedPack> {
        let footer = to_json(&Footer {
            sections: std::mem::take(&mut self.sections),
        })?;
        let mut encoder = Encoder::new()?;
        let footer = encoder.pack(&footer, CATALOGUE_LEVEL)?;
        let place = self.add(Kind::Footer, &footer, None, None, random)?;
        self.bytes.extend_from_slice(&place.length.to_be_bytes());
        self.bytes.extend_from_slice(&preamble(Role::Pack));
        if self.bytes.len() > PACK_MAX {
            let (size, limit) = (self.bytes.len() as u64, PACK_MAX as u64);
            return Err(Error::TooLarge {
                what: path(self.id),
                size,
                limit,
            });
        }
        Ok(FinishedPack {
            id: self.id,
            capacity: self.bytes.capacity(),
            bytes: self.bytes.freeze(),
        })
    }
}

/// A pack is only ever looked for because something refers to it: one that is gone is damage.
fn missing(error: Error) -> Error {
    match error {
        Error::NotFound { what } => Error::corrupt(what, "it is missing"),
        other => other,
    }
}

/// Reads one section of a pack: authenticated, then unpacked.
pub(crate) async fn read_section(objects: &Objects, kind: Kind, place: Place) -> Result<Vec<u8>> {
    let path = path(place.pack);
    check_length(&path, kind, place.length)?;
    let sealed = objects
        .read_range(&path, u64::from(place.offset), u64::from(place.length))
        .await
        .map_err(missing)?;
    let key = objects.keys.object_key(Role::Pack, &path)?;
    open_section(&key, kind, u64::from(place.offset), &sealed, limit(kind))
        .map_err(|why| Error::corrupt(format!("{path} at {}", place.offset), why))
}

fn check_length(path: &str, kind: Kind, length: u32) -> Result<()> {
    if length as usize > limit(kind) + SEAL_OVERHEAD + 64 {
        return Err(Error::corrupt(
            path,
            "a section is larger than its kind may be",
        ));
    }
    Ok(())
}

/// Reads the footer of a pack of this size. Returns it with the offset of the footer section.
pub(crate) async fn read_footer(
    objects: &Objects,
    pack: PackId,
    size: u64,
) -> Result<(Footer, u32)> {
    let path = path(pack);
    if size > PACK_MAX as u64 {
        return Err(Error::corrupt(path, "it is larger than a pack may be"));
    }
    let start = size.saturating_sub(FOOTER_GUESS);
    let mut tail = objects
        .read_range(&path, start, size - start)
        .await
        .map_err(missing)?;
    let (offset, length) = footer_place(&path, &tail, size)?;
    check_length(&path, Kind::Footer, length)?;
    let end = u64::from(offset) + u64::from(length);
    let skip = match u64::from(offset).checked_sub(start) {
        Some(skip) => skip,
        None => {
            tail = objects
                .read_range(&path, u64::from(offset), u64::from(length))
                .await
                .map_err(missing)?;
            0
        }
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let sealed = tail
        .get(skip..)
        .and_then(|rest| rest.get(..length as usize));
    let sealed = sealed.ok_or_else(|| Error::corrupt(&path, "its footer is cut short"))?;
    open_footer(objects, &path, offset, sealed, end)
}

/// Place of the footer section, from the last bytes of a pack.
fn footer_place(path: &str, tail: &[u8], size: u64) -> Result<(u32, u32)> {
    let damaged = |why: &str| Error::corrupt(path, why);
    let trailer = tail
        .last_chunk::<TRAILER>()
        .ok_or_else(|| damaged("it is cut short"))?;
    let (length, closing) = trailer.split_at(4);
    let rest = after_preamble(Role::Pack, path, closing)?;
    let length: [u8; 4] = length.try_into().map_err(|_| damaged("it is cut short"))?;
    let length = u32::from_be_bytes(length);
    let offset = size
        .checked_sub(TRAILER as u64 + u64::from(length))
        .filter(|offset| *offset >= PREAMBLE as u64 && rest.is_empty())
        .and_then(|offset| u32::try_from(offset).ok())
        .ok_or_else(|| damaged("its footer's length is wrong"))?;
    Ok((offset, length))
}

fn open_footer(
    objects: &Objects,
    path: &str,
    offset: u32,
    sealed: &[u8],
    end: u64,
) -> Result<(Footer, u32)> {
    let key = objects.keys.object_key(Role::Pack, path)?;
    let plaintext = open_section(&key, Kind::Footer, u64::from(offset), sealed, FOOTER_MAX)
        .map_err(|why| Error::corrupt(format!("the footer of {path}"), why))?;
    let footer: Footer = from_json(path, &plaintext)?;
    // The sections lie one behind the other from the preamble to the footer: no byte is unaccounted.
    let mut at = PREAMBLE as u64;
    for section in &footer.sections {
        if u64::from(section.offset) != at || at > end {
            return Err(Error::corrupt(
                path,
                "its sections do not follow one another",
            ));
        }
        at += u64::from(section.length);
    }
    if at != u64::from(offset) {
        return Err(Error::corrupt(
            path,
            "its sections do not end where its footer begins",
        ));
    }
    Ok((footer, offset))
}

/// Reads a whole pack and opens every section of it: each byte is checked. Returns the number of
/// sections.
pub(crate) async fn verify(objects: &Objects, pack: PackId, size: u64) -> Result<u64> {
    let path = path(pack);
    let bytes = objects
        .read_whole(&path, PACK_MAX as u64)
        .await
        .map_err(missing)?;
    if bytes.len() as u64 != size {
        let why = format!("it has {} bytes, the manifest says {size}", bytes.len());
        return Err(Error::corrupt(path, why));
    }
    after_preamble(Role::Pack, &path, &bytes)?;
    let (offset, length) = footer_place(&path, &bytes, size)?;
    let sealed = bytes
        .get(offset as usize..)
        .and_then(|rest| rest.get(..length as usize));
    let sealed = sealed.ok_or_else(|| Error::corrupt(&path, "its footer is cut short"))?;
    let (footer, _) = open_footer(objects, &path, offset, sealed, size)?;
    let key = objects.keys.object_key(Role::Pack, &path)?;
    for section in &footer.sections {
        let offset = section.offset;
        let what = || format!("{path} at {offset}");
        let sealed = bytes
            .get(offset as usize..)
            .and_then(|rest| rest.get(..section.length as usize))
            .ok_or_else(|| Error::corrupt(what(), "it is cut short"))?;
        open_section(
            &key,
            section.kind,
            u64::from(offset),
            sealed,
            limit(section.kind),
        )
        .map_err(|why| Error::corrupt(what(), why))?;
    }
    Ok(footer.sections.len() as u64)
}
