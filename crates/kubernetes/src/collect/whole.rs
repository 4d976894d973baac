//! The bytes of one object: those that the API server sent, and in front of them what its list left
//! out.
//!
//! Contract: the bytes of all objects of a page are views into the page, and what stands in front of
//! them is there once for all of them. An object is therefore handed on without a copy of its bytes;
//! who needs them in one piece asks for that.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use strongroom_core::object::ResourceType;

/// The bytes of one object in two parts, of which the first may be empty.
#[derive(Clone, Default)]
pub struct Whole {
    front: Bytes,
    rest: Bytes,
}

impl Whole {
    /// An object of two parts that follow one another.
    pub(crate) fn new(front: Bytes, rest: Bytes) -> Self {
        Self { front, rest }
    }

    /// The number of bytes of both parts.
    pub fn len(&self) -> usize {
        self.front.len() + self.rest.len()
    }

    /// Whether there is no byte: no object is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The two parts.
    pub fn into_parts(self) -> [Bytes; 2] {
        [self.front, self.rest]
    }

    /// The bytes in one piece: a copy when something stands in front.
    pub fn into_bytes(self) -> Bytes {
        if self.front.is_empty() {
            self.rest
        } else {
            self.joined().into()
        }
    }

    /// The object, parsed.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        if self.front.is_empty() {
            serde_json::from_slice(&self.rest)
        } else {
            serde_json::from_slice(&self.joined())
        }
    }

    fn joined(&self) -> Vec<u8> {
        [&*self.front, &*self.rest].concat()
    }
}

impl From<Bytes> for Whole {
    fn from(bytes: Bytes) -> Self {
        Self::new(Bytes::new(), bytes)
    }
}

/// Equal bytes are equal, wherever they are parted.
impl PartialEq for Whole {
    fn eq(&self, other: &Self) -> bool {
        self == &*other.joined()
    }
}

impl Eq for Whole {}

impl PartialEq<[u8]> for Whole {
    fn eq(&self, other: &[u8]) -> bool {
        let rest = other.strip_prefix(&*self.front);
        rest.is_some_and(|rest| rest == self.rest)
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Objects may be Secrets: their bytes have no place in a log.
        write!(formatter, "Whole({} bytes)", self.len())
    }
}

/// What is put in front of a page's objects.
pub(super) struct Fronts<'a> {
    kind: &'a ResourceType,
    /// For objects that lack both: those of all built-in types.
    both: Bytes,
}

impl<'a> Fronts<'a> {
    pub(super) fn of(kind: &'a ResourceType) -> Self {
        Self {
            kind,
            both: front(kind, true, true, true).into(),
        }
    }

    /// The object with what it lacks in front; `raw` is its text, which lies in `page`.
    pub(super) fn complete(
        &self,
        page: &Bytes,
        raw: &str,
        lacks_version: bool,
        lacks_kind: bool,
    ) -> Whole {
        if !lacks_version && !lacks_kind {
            return page.slice_ref(raw.as_bytes()).into();
        }
        // The parser has seen an object here, so the text begins with a brace.
        let rest = raw.strip_prefix('{').unwrap_or(raw);
        let more = !rest.trim_start().starts_with('}');
        let front = if lacks_version && lacks_kind && more {
            self.both.clone()
        } else {
            front(self.kind, lacks_version, lacks_kind, more).into()
        };
        Whole::new(front, page.slice_ref(rest.as_bytes()))
    }
}

/// The brace and what an object lacks; with a comma when more follows.
fn front(kind: &ResourceType, lacks_version: bool, lacks_kind: bool, more: bool) -> String {
    let mut front = String::from("{");
    // Groups, versions and kinds are names of RFC 1123 and identifiers: nothing to escape.
    if lacks_version {
        front.push_str("\"apiVersion\":\"");
        if !kind.group.is_empty() {
            front.push_str(&kind.group);
            front.push('/');
        }
        front.push_str(&kind.version);
        front.push_str("\",");
    }
    if lacks_kind {
        front.push_str("\"kind\":\"");
        front.push_str(&kind.kind);
        front.push_str("\",");
    }
    if !more {
        front.pop();
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_equal_wherever_they_are_parted() {
        let whole = |front: &'static str, rest: &'static str| {
            Whole::new(
                Bytes::from_static(front.as_bytes()),
                Bytes::from_static(rest.as_bytes()),
            )
        };
        assert_eq!(whole("{\"a\"", ":1}"), whole("", "{\"a\":1}"));
        assert_ne!(whole("{\"a\"", ":1}"), whole("{", "\"a\":2}"));
        assert_ne!(whole("{\"a\"", ":1}"), whole("", "{\"a\""));
        let number: std::collections::BTreeMap<String, u8> = whole("{\"a\"", ":1}").json().unwrap();
        assert_eq!(number["a"], 1);
        assert_eq!(whole("{\"a\"", ":1}").into_bytes(), "{\"a\":1}");
    }

    #[test]
    fn the_bytes_of_a_page_are_handed_on_as_they_lie_there() {
        let page = Bytes::from_static(b"[{\"metadata\":{}},{\"metadata\":{}}]");
        let text = std::str::from_utf8(&page).unwrap();
        let kind = ResourceType::new("apps", "v1", "Deployment", "deployments", true);
        let fronts = Fronts::of(&kind);
        let parts = [&text[1..16], &text[17..32]]
            .map(|raw| fronts.complete(&page, raw, true, true).into_parts());
        for ([front, rest], at) in parts.iter().zip([2, 18]) {
            assert_eq!(
                front,
                "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
            );
            assert_eq!(rest.as_ptr(), page[at..].as_ptr(), "a view into the page");
        }
        let [[one, _], [other, _]] = &parts;
        assert_eq!(one.as_ptr(), other.as_ptr(), "there once for all of them");
    }
}
