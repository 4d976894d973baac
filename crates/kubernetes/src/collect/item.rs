//! One item of a list: the few facts that decisions need, and its bytes made whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use strongroom_core::object::{ObjectFacts, ObjectRef, Owner, ResourceType};

use super::Collected;

/// What is read of an object; all else in it is skipped over, not stored.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    uid: String,
    resource_version: String,
    deletion_timestamp: Option<String>,
    labels: Option<BTreeMap<String, Option<String>>>,
    annotations: Option<BTreeMap<String, Option<String>>>,
    owner_references: Option<Vec<Owner>>,
}

/// The item with its facts; `body` is the page that `raw` lies in.
pub(super) fn collected(kind: &ResourceType, body: &Bytes, raw: &str) -> Result<Collected, String> {
    let head: Head<'_> = serde_json::from_str(raw)
        .map_err(|error| format!("an item of the list is not an object: {error}"))?;
    let whole = whole(
        kind,
        body,
        raw,
        head.api_version.is_none(),
        head.kind.is_none(),
    );
    let metadata = head.metadata;
    let mut object = ObjectRef::new(kind, metadata.namespace.as_deref(), &metadata.name);
    if let Some(own) = head.kind {
        object.kind = own.into_owned();
    }
    let facts = ObjectFacts {
        object,
        labels: texts(metadata.labels),
        annotations: texts(metadata.annotations),
        owners: metadata.owner_references.unwrap_or_default(),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        terminating: metadata.deletion_timestamp.is_some(),
    };
    Ok(Collected { facts, raw: whole })
}

/// A null label value is an empty one, as Go reads it.
fn texts(map: Option<BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    let pairs = map.unwrap_or_default().into_iter();
    pairs
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect()
}

/// The object's bytes with `apiVersion` and `kind` in front when the list left them out; otherwise a
/// view into the page, without a copy.
fn whole(
    kind: &ResourceType,
    body: &Bytes,
    raw: &str,
    lacks_version: bool,
    lacks_kind: bool,
) -> Bytes {
    if !lacks_version && !lacks_kind {
        return body.slice_ref(raw.as_bytes());
    }
    // The parser has seen an object here, so the text begins with a brace.
    let rest = raw.strip_prefix('{').unwrap_or(raw);
    let mut whole = BytesMut::with_capacity(raw.len() + 64 + kind.group.len() + kind.kind.len());
    whole.put_u8(b'{');
    let mut field = |name: &str, value: &str| {
        // Groups, versions and kinds are names of RFC 1123 and identifiers: nothing to escape.
        whole.put_slice(format!("\"{name}\":\"{value}\",").as_bytes());
    };
    if lacks_version {
        field("apiVersion", &kind.api_version());
    }
    if lacks_kind {
        field("kind", &kind.kind);
    }
    if rest.trim_start().starts_with('}') {
        // Nothing follows, so neither may the comma.
        whole.truncate(whole.len() - 1);
    }
    whole.put_slice(rest.as_bytes());
    whole.freeze()
}
