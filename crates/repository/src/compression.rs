//! The payload inside a sealed section: `encoding (1 byte) || plaintext length (u32, big endian) ||
//! data`, where encoding 0 is the bytes themselves and 1 is one zstd frame.
//!
//! What is packed is unpacked again and compared before it leaves the process, so that a fault of
//! memory or of the library is found while the source is still there.

use crate::error::{Error, Result};

const RAW: u8 = 0;
const ZSTD: u8 = 1;
const HEAD: usize = 5;

/// zstd level for bodies: 1 is the cheapest (compression is four fifths of the cost of a backup).
pub(crate) const BODY_LEVEL: i32 = 1;

/// zstd level for the catalogue and for documents, which are small and read often.
pub(crate) const CATALOGUE_LEVEL: i32 = 3;

/// Packs `plaintext` into a payload.
pub(crate) fn pack(plaintext: &[u8], level: i32) -> Result<Vec<u8>> {
    let length = u32::try_from(plaintext.len()).map_err(|_| Error::TooLarge {
        what: "a section".into(),
        size: plaintext.len() as u64,
        limit: u64::from(u32::MAX),
    })?;
    let failed = |why: String| Error::Internal {
        doing: "compressing a section",
        why,
    };
    let packed = zstd::bulk::compress(plaintext, level).map_err(|e| failed(e.to_string()))?;
    let (encoding, data) = if packed.len() < plaintext.len() {
        (ZSTD, packed.as_slice())
    } else {
        (RAW, plaintext)
    };
    let mut payload = Vec::with_capacity(HEAD + data.len());
    payload.push(encoding);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(data);
    match unpack(&payload, plaintext.len()) {
        Ok(back) if back == plaintext => Ok(payload),
        _ => Err(failed(
            "what was compressed does not decompress to itself".into(),
        )),
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

    #[test]
    fn a_payload_comes_back_and_never_beyond_its_limit() {
        let text = b"again and again and again and again and again".repeat(9);
        let payload = pack(&text, BODY_LEVEL).unwrap();
        assert!(payload.len() < text.len());
        assert_eq!(unpack(&payload, text.len()).unwrap(), text);
        assert!(unpack(&payload, text.len() - 1).is_err());
        assert_eq!(unpack(&pack(b"", 1).unwrap(), 0).unwrap(), b"");
    }

    #[test]
    fn no_payload_makes_unpacking_panic_or_lie_about_its_length() {
        let payload = pack(&b"some text some text some text".repeat(4), 1).unwrap();
        for cut in 0..payload.len() {
            let _ = unpack(&payload[..cut], 1000);
        }
        let mut longer = payload.clone();
        longer[4] = longer[4].wrapping_sub(1);
        assert!(unpack(&longer, 1000).is_err());
        longer[0] = 7;
        assert!(unpack(&longer, 1000).is_err());
    }
}
