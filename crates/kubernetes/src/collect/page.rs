//! One page of a list: its frame is parsed, its items stay bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use strongroom_core::object::ResourceType;

use super::{Page, item};

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    metadata: ListMeta,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    continue_token: String,
    remaining_item_count: Option<u64>,
}

/// The page in a list's bytes, and the token of the next one.
pub(super) fn parse(
    kind: &ResourceType,
    body: &Bytes,
    consistent: bool,
) -> Result<(Page, Option<String>), String> {
    let list: List<'_> = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is not a list: {error}"))?;
    // Go writes an empty list as null when nobody made it.
    let raws = list.items.unwrap_or_default();
    let mut items = Vec::with_capacity(raws.len());
    for raw in raws {
        items.push(item::collected(kind, body, raw.get())?);
    }
    let page = Page {
        items,
        resource_version: list.metadata.resource_version,
        remaining: list.metadata.remaining_item_count,
        consistent,
    };
    let token = Some(list.metadata.continue_token).filter(|token| !token.is_empty());
    Ok((page, token))
}
