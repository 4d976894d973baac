//! One page of a list, read in one pass: of its frame and of each item only what is needed is parsed,
//! everything else is skipped over, and the items stay the bytes that they are.
//!
//! The library parses values; only the frame (the braces and commas of the list itself) is walked here,
//! because a parser that first finds where each item ends and then reads it costs twice as much, and
//! parsing is the largest part of what a backup adds to the API server's own work.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use strongroom_core::object::ResourceType;

use super::item::{self, Head};
use super::whole::Fronts;
use super::{Collected, Page};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    continue_token: String,
    remaining_item_count: Option<u64>,
}

/// The bytes at either end of a page in which its metadata is looked for ahead of all else. A token of an
/// API server is some hundred bytes: the key of an object in base64.
const ENDS_BYTES: usize = 8 * 1024;

/// The page in a list's bytes, and the token of the next one.
pub(super) fn parse(
    kind: &ResourceType,
    body: &Bytes,
    consistent: bool,
) -> Result<(Page, Option<String>), String> {
    let text =
        std::str::from_utf8(body).map_err(|error| format!("the answer is no text: {error}"))?;
    let mut cursor = Cursor { text, at: 0 };
    let (meta, items) = list(&mut cursor, kind, body)
        .map_err(|error| format!("the answer is not a list: {error}"))?;
    let token = Some(meta.continue_token).filter(|token| !token.is_empty());
    let page = Page {
        items,
        resource_version: meta.resource_version,
        remaining: meta.remaining_item_count,
        more: token.is_some(),
        consistent,
    };
    Ok((page, token))
}

/// The token of the next page, without a look at the items: API servers write the metadata of a list in
/// front of the items of built-in types, and behind those of custom types. Whatever is wrong with the
/// document is told by [`parse`].
pub(super) fn token_at_the_ends(body: &Bytes) -> Option<String> {
    token_before_items(body).or_else(|| token_behind_items(body))
}

/// The token of the next page when it stands in front of the items, in the first bytes of a page.
pub(super) fn token_before_items(body: &[u8]) -> Option<String> {
    // What stands before the items is short; its end may lie within a character of what follows.
    let head = body.get(..body.len().min(ENDS_BYTES)).unwrap_or_default();
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
    };
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect('{').ok()?;
    loop {
        let key: Cow<'_, str> = cursor.value().ok()?;
        cursor.expect(':').ok()?;
        match &*key {
            "items" => return None,
            "metadata" => {
                let meta: ListMeta = cursor.value().ok()?;
                return Some(meta.continue_token).filter(|token| !token.is_empty());
            }
            _ => drop(cursor.value::<IgnoredAny>().ok()?),
        }
        cursor.expect(',').ok()?;
    }
}

/// The last metadata of the document, if nothing but its closing brace comes behind: then it is the
/// list's own.
fn token_behind_items(body: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\"metadata\":";
    let tail = body.get(body.len().saturating_sub(ENDS_BYTES)..)?;
    let at = tail.windows(MARK.len()).rposition(|bytes| bytes == MARK)?;
    let text = std::str::from_utf8(tail.get(at + MARK.len()..)?).ok()?;
    let mut cursor = Cursor { text, at: 0 };
    let meta: ListMeta = cursor.value().ok()?;
    cursor.expect('}').ok()?;
    if cursor.peek().is_some() {
        return None;
    }
    Some(meta.continue_token).filter(|token| !token.is_empty())
}

/// The whole document: an object with `metadata` and `items` in any order.
fn list(
    cursor: &mut Cursor<'_>,
    kind: &ResourceType,
    body: &Bytes,
) -> Result<(ListMeta, Vec<Collected>), String> {
    let (mut meta, mut items) = (ListMeta::default(), Vec::new());
    cursor.expect('{')?;
    let mut more = !cursor.take('}');
    while more {
        let key: Cow<'_, str> = cursor.value()?;
        cursor.expect(':')?;
        match &*key {
            "items" => items = self::items(cursor, kind, body)?,
            "metadata" => meta = cursor.value::<Option<ListMeta>>()?.unwrap_or_default(),
            _ => drop(cursor.value::<IgnoredAny>()?),
        }
        more = cursor.take(',');
        if !more {
            cursor.expect('}')?;
        }
    }
    match cursor.peek() {
        None => Ok((meta, items)),
        Some(_) => Err(cursor.unexpected("the end")),
    }
}

/// The items. Go writes an empty list as null when nobody made it.
fn items(
    cursor: &mut Cursor<'_>,
    kind: &ResourceType,
    body: &Bytes,
) -> Result<Vec<Collected>, String> {
    let mut items = Vec::new();
    if !cursor.take('[') {
        return match cursor.value::<Option<IgnoredAny>>()? {
            None => Ok(items),
            Some(_) => Err("its items are not an array".to_owned()),
        };
    }
    if cursor.take(']') {
        return Ok(items);
    }
    let fronts = Fronts::of(kind);
    loop {
        cursor.skip_space();
        let from = cursor.at;
        let head: Head<'_> = cursor
            .value()
            .map_err(|error| format!("an item is not an object: {error}"))?;
        let raw = cursor.text.get(from..cursor.at).unwrap_or_default();
        items.push(item::collected(kind, &fronts, body, raw, head));
        if !cursor.take(',') {
            cursor.expect(']')?;
            return Ok(items);
        }
    }
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Parses one value and steps behind it.
    fn value<T: Deserialize<'a>>(&mut self) -> Result<T, String> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            Some(Err(error)) => Err(format!("at byte {}: {error}", self.at)),
            None => Err(self.unexpected("a value")),
        }
    }

    fn skip_space(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().take_while(space).count();
    }

    /// The next character that is not space.
    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.text.get(self.at..)?.chars().next()
    }

    /// Steps over an ASCII sign when it is the next.
    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    fn unexpected(&mut self, wanted: &str) -> String {
        let found = self
            .peek()
            .map_or("nothing".to_owned(), |found| format!("`{found}`"));
        format!("at byte {}: {found} instead of {wanted}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn maps() -> ResourceType {
        ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
    }

    fn parsed(text: &str) -> Result<(Page, Option<String>), String> {
        parse(&maps(), &Bytes::copy_from_slice(text.as_bytes()), true)
    }

    #[test]
    fn a_list_reads_the_same_whatever_the_order_of_its_parts_and_its_spaces() {
        let item = json!({"metadata": {"name": "a", "namespace": "n", "labels": {"k\n": null}}});
        let orders = [
            format!(
                r#"{{"metadata":{{"resourceVersion":"7","continue":"t"}},"items":[{item},{item}]}}"#
            ),
            format!(
                r#" {{ "items" : [ {item} , {item} ] , "kind":"L", "metadata":{{"continue":"t","resourceVersion":"7"}} }} "#
            ),
        ];
        let pages: Vec<_> = orders.iter().map(|text| parsed(text).unwrap()).collect();
        assert_eq!(pages[0], pages[1]);
        assert_eq!(pages[0].0.items.len(), 2);
        assert_eq!(pages[0].0.items[0].facts.labels["k\n"], "");
        assert_eq!(
            (pages[0].0.resource_version.as_str(), pages[0].1.as_deref()),
            ("7", Some("t"))
        );
    }

    #[test]
    fn the_next_page_is_known_before_the_items_are_read_or_not_at_all() {
        let token = |text: &str| token_at_the_ends(&Bytes::copy_from_slice(text.as_bytes()));
        let first = r#"{"kind":"L","apiVersion":"v1","metadata":{"continue":"t"},"items":[{"#;
        assert_eq!(token(first).as_deref(), Some("t"));
        let long = format!("{first}\"{}", "ä".repeat(ENDS_BYTES));
        assert_eq!(token(&long).as_deref(), Some("t"));
        let custom = r#""}}],"kind":"L","metadata":{"continue":"t","resourceVersion":"5"}}"#;
        let custom = format!(
            r#"{{"items":[{{"metadata":{{"continue":"x{}{custom}"#,
            "ä".repeat(ENDS_BYTES)
        );
        assert_eq!(token(&format!("{custom}\n")).as_deref(), Some("t"));
        for text in [
            r#"{"items":[{"metadata":{"continue":"t"}}]}"#,
            r#"{"items":[],"metadata":{"continue":"t"}"#,
            r#"{"metadata":{"continue":""},"items":[]}"#,
            r#"{"metadata":{"cont"#,
            "{}",
            "",
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }

    #[test]
    fn an_item_costs_some_small_allocations_and_no_copy_of_its_bytes() {
        const ITEMS: u64 = 500;
        let item = |number| {
            let data = "x".repeat(2_000);
            json!({"metadata": {"name": format!("item-{number}"), "namespace": "shop",
                "uid": "0b1c", "resourceVersion": "1234", "labels": {"app": "shop", "tier": "web"},
                "annotations": {"note": "x"}}, "data": {"k": data}})
            .to_string()
        };
        let items: Vec<String> = (0..ITEMS).map(item).collect();
        let text = format!(
            r#"{{"metadata":{{"continue":"t"}},"items":[{}]}}"#,
            items.join(",")
        );
        let (body, maps) = (Bytes::from(text), maps());
        let mut read = None;
        let asked = allocation_counter::measure(|| read = Some(parse(&maps, &body, true)));
        assert_eq!(read.unwrap().unwrap().0.items.len() as u64, ITEMS);
        let (count, bytes) = (asked.count_total / ITEMS, asked.bytes_total / ITEMS);
        assert!(count <= 16, "{count} allocations an item");
        // Two maps are as many nodes of some hundred bytes; the list of the items grows by doubling.
        assert!(
            bytes <= 1_800,
            "{bytes} bytes are allocated for an item of 2,000"
        );
    }

    #[test]
    fn an_empty_list_may_be_null_or_absent() {
        for text in [r#"{"items":null,"metadata":null}"#, r#"{"items":[]}"#, "{}"] {
            assert!(parsed(text).unwrap().0.items.is_empty(), "{text}");
        }
    }

    #[test]
    fn whatever_is_cut_or_no_list_is_refused() {
        let whole = r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}]}"#;
        for end in 0..whole.len() {
            assert!(parsed(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
        for text in [
            r#"{"items":{}}"#,
            r#"{"items":[1]}"#,
            r#"{"items":[{}}"#,
            "[]",
            r#"{"items":[{}],}"#,
            "{} x",
            r#"{"items":[{"a":1 2}]}"#,
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert!(parse(&maps(), &Bytes::from_static(b"{\"a\":\"\xff\"}"), true).is_err());
    }
}
