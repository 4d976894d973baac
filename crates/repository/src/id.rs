//! Names of things in the repository: content ids, packs, and places inside packs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Keyed BLAKE3 hash (32 bytes) of a piece of content, with its kind mixed in. Without the
/// repository's key nobody can tell whether a known content is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub(crate) [u8; 32]);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHY: &str = "a content id is 64 lower-case hexadecimal digits";
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(WHY);
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(WHY),
                };
                *byte = (*byte << 4) | value;
            }
        }
        Ok(Self(id))
    }
}

/// Name of a pack: the point whose writer made it, that writer's attempt, and a running number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PackId {
    /// Recovery point for which the pack was first written.
    pub point: Uuid,
    /// Attempt of the writer.
    pub attempt: u32,
    /// Number within the attempt, from 0.
    pub number: u32,
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}-{}", self.point, self.attempt, self.number)
    }
}

impl FromStr for PackId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHY: &str = "a pack is named <point>/<attempt>-<number>";
        let (point, rest) = text.split_once('/').ok_or(WHY)?;
        let (attempt, number) = rest.split_once('-').ok_or(WHY)?;
        let id = Self {
            point: Uuid::from_str(point).map_err(|_| WHY)?,
            attempt: attempt.parse().map_err(|_| WHY)?,
            number: number.parse().map_err(|_| WHY)?,
        };
        // Only the one canonical spelling, so that a name and its meaning are the same thing.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(WHY)
        }
    }
}

/// Serialises a type by its `Display` and reads it by its `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(ContentId);
serde_as_text!(PackId);

/// A sealed section inside a pack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The pack.
    pub pack: PackId,
    /// First byte of the section in the pack.
    pub offset: u32,
    /// Length of the section as stored, bytes.
    pub length: u32,
}

/// Where the body of an entry is: a frame, and the body's place in the frame's plaintext.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// The frame's section.
    pub frame: Place,
    /// First byte of the body in the frame's plaintext. Its length is the entry's size.
    pub within: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_in_their_one_spelling_only() {
        let pack = PackId {
            point: Uuid::from_u128(7),
            attempt: 1,
            number: 20,
        };
        assert_eq!(pack.to_string().parse(), Ok(pack));
        for other in [
            "",
            "a/1-2",
            "00000000-0000-0000-0000-000000000007/01-2",
            "x",
        ] {
            assert!(other.parse::<PackId>().is_err(), "{other}");
        }
        let id = ContentId([0xa5; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("A5".repeat(32).parse::<ContentId>().is_err());
        assert!("a5".repeat(31).parse::<ContentId>().is_err());
    }
}
