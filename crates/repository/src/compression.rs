//! The payload inside a sealed section: `encoding (1 byte) || plaintext length (u32, big endian) ||
//! data`, where encoding 0 is the bytes themselves and 1 is one zstd frame.
//!
//! What is packed is unpacked again and compared before it leaves the process, so that a fault of
//! memory or of the library is found while the source is still there.

use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::limits::{BESIDE_MAX, FRAME_TARGET};

const RAW: u8 = 0;
const ZSTD: u8 = 1;
const HEAD: usize = 5;

/// zstd level for bodies: 1 is the cheapest (compression is four fifths of the cost of a backup).
pub(crate) const BODY_LEVEL: i32 = 1;

/// zstd level for segments of reports, which are as much as a third of the bytes of small objects.
pub(crate) const REPORT_LEVEL: i32 = 1;

/// zstd level for the catalogue and for documents, which are small and read often.
pub(crate) const CATALOGUE_LEVEL: i32 = 3;

/// Packs sections one after the other. Keeps the contexts and the room of zstd from one to the next:
/// making and dropping them costs as much as compressing a small section does.
pub(crate) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
    level: i32,
    compressed: Vec<u8>,
    checked: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Result<Self> {
        let failed = |e: std::io::Error| failed(e.to_string());
        Ok(Self {
            compressor: zstd::bulk::Compressor::new(BODY_LEVEL).map_err(failed)?,
            decompressor: zstd::bulk::Decompressor::new().map_err(failed)?,
            level: BODY_LEVEL,
            compressed: Vec::new(),
            checked: Vec::new(),
        })
    }

    /// Packs `plaintext` into a payload, which lies in the encoder's own room until the next is packed.
    pub(crate) fn pack<'a>(&'a mut self, plaintext: &'a [u8], level: i32) -> Result<Payload<'a>> {
        self.compress(plaintext, level)?;
        Ok(self.payload(plaintext))
    }

    /// Compresses `plaintext`: the first half of [`Encoder::pack`], for whoever does it on another thread.
    pub(crate) fn compress(&mut self, plaintext: &[u8], level: i32) -> Result<()> {
        let library = |e: std::io::Error| failed(e.to_string());
        if u32::try_from(plaintext.len()).is_err() {
            return Err(Error::TooLarge {
                what: "a section".into(),
                size: plaintext.len() as u64,
                limit: u64::from(u32::MAX),
            });
        }
        if self.level != level {
            self.compressor
                .set_compression_level(level)
                .map_err(library)?;
            self.level = level;
        }
        make_room(
            &mut self.compressed,
            zstd::zstd_safe::compress_bound(plaintext.len()),
        );
        self.compressor
            .compress_to_buffer(plaintext, &mut self.compressed)
            .map_err(library)?;
        if self.compressed.len() >= plaintext.len() {
            return Ok(());
        }
        make_room(&mut self.checked, plaintext.len());
        self.decompressor
            .decompress_to_buffer(&self.compressed, &mut self.checked)
            .map_err(library)?;
        if self.checked != plaintext {
            let why = "what was compressed does not decompress to itself";
            return Err(failed(why.into()));
        }
        Ok(())
    }

    /// The payload of what was compressed last, which is this plaintext.
    pub(crate) fn payload<'a>(&'a self, plaintext: &'a [u8]) -> Payload<'a> {
        let (encoding, data) = if self.compressed.len() < plaintext.len() {
            (ZSTD, self.compressed.as_slice())
        } else {
            (RAW, plaintext)
        };
        // That it fits was seen when it was compressed.
        let [a, b, c, d] = (plaintext.len() as u32).to_be_bytes();
        Payload {
            head: [encoding, a, b, c, d],
            data,
        }
    }
}

/// Runs what compresses this many bytes beside the caller.
///
/// As a task like any other, on one of the runtime's own threads: a frame takes one to three
/// milliseconds. A thread for each frame of the pool for blocking calls would have a heap of its own that
/// is kept after it (measured: a third of the process's memory), and would contend with the
/// runtime's for the same cores. What is larger than any usual section would hold up a thread of the
/// runtime for too long; it is rare, and goes to that pool.
pub(crate) fn beside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    if bytes > BESIDE_MAX {
        tokio::task::spawn_blocking(work)
    } else {
        tokio::spawn(async move { work() })
    }
}

/// Empties the buffer and gives it at least this much room. Room for the largest bodies is not kept:
/// one such body would else cost its memory for the rest of the point.
fn make_room(buffer: &mut Vec<u8>, length: usize) {
    buffer.clear();
    if buffer.capacity() > 2 * FRAME_TARGET && length <= FRAME_TARGET {
        buffer.shrink_to(FRAME_TARGET);
    }
    buffer.reserve(length);
}

fn failed(why: String) -> Error {
    Error::Internal {
        doing: "compressing a section",
        why,
    }
}

/// The payload of a section, before it is sealed.
pub(crate) struct Payload<'a> {
    head: [u8; HEAD],
    data: &'a [u8],
}

impl Payload<'_> {
    /// Its bytes, in two parts that follow one another.
    pub(crate) fn parts(&self) -> [&[u8]; 2] {
        [&self.head, self.data]
    }

    /// The number of its bytes.
    pub(crate) fn len(&self) -> usize {
        HEAD + self.data.len()
    }
}

/// Unpacks a payload whose plaintext may have at most `limit` bytes. To be called on authenticated
/// bytes only. The error says what is wrong.
pub(crate) fn unpack(payload: &[u8], limit: usize) -> Result<Vec<u8>, &'static str> {
    let (encoding, rest) = payload.split_first().ok_or("a section is empty")?;
    let (length, data) = rest
        .split_first_chunk::<4>()
        .ok_or("a section is cut short")?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > limit {
        return Err("a section is larger than its kind may be");
    }
    let plaintext = match *encoding {
        RAW => data.to_vec(),
        ZSTD => {
            zstd::bulk::decompress(data, length).map_err(|_| "a section does not decompress")?
        }
        _ => return Err("a section has an unknown encoding"),
    };
    if plaintext.len() == length {
        Ok(plaintext)
    } else {
        Err("a section has another length than it says")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(plaintext: &[u8], level: i32) -> Vec<u8> {
        let mut encoder = Encoder::new().unwrap();
        let payload = encoder.pack(plaintext, level).unwrap();
        assert_eq!(payload.len(), payload.parts().concat().len());
        payload.parts().concat()
    }

    #[test]
    fn a_payload_comes_back_and_never_beyond_its_limit() {
        let text = b"again and again and again and again and again".repeat(9);
        let payload = pack(&text, BODY_LEVEL);
        assert!(payload.len() < text.len());
        assert_eq!(unpack(&payload, text.len()).unwrap(), text);
        assert!(unpack(&payload, text.len() - 1).is_err());
        assert_eq!(unpack(&pack(b"", 1), 0).unwrap(), b"");
    }

    #[test]
    fn an_encoder_packs_as_one_made_anew_does_whatever_it_packed_before() {
        let mut encoder = Encoder::new().unwrap();
        let large = b"a large one, then small ones again".repeat(100_000);
        for (text, level) in [
            (b"small small small small small".to_vec(), BODY_LEVEL),
            (large, CATALOGUE_LEVEL),
            (Vec::new(), BODY_LEVEL),
            (b"small small small small small".to_vec(), BODY_LEVEL),
        ] {
            let again = encoder.pack(&text, level).unwrap().parts().concat();
            assert_eq!(again, pack(&text, level));
            assert_eq!(unpack(&again, text.len()).unwrap(), text);
        }
    }

    #[test]
    fn no_payload_makes_unpacking_panic_or_lie_about_its_length() {
        let payload = pack(&b"some text some text some text".repeat(4), 1);
        for cut in 0..payload.len() {
            let _ = unpack(&payload[..cut], 1000);
        }
        let mut longer = payload.to_vec();
        longer[4] = longer[4].wrapping_sub(1);
        assert!(unpack(&longer, 1000).is_err());
        longer[0] = 7;
        assert!(unpack(&longer, 1000).is_err());
    }
}
