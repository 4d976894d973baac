//! One item of a list: the few facts that decisions need, and its bytes made whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use strongroom_core::object::{ObjectFacts, ObjectRef, Owner, ResourceType};

use super::Collected;

/// What is read of an object; all else in it is skipped over, not stored.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    deletion_timestamp: Option<IgnoredAny>,
    labels: Option<BTreeMap<String, Option<String>>>,
    annotations: Option<BTreeMap<String, Option<String>>>,
    owner_references: Option<Vec<Owner>>,
}

/// The item with its facts; `body` is the page that `raw` lies in, `head` what was read of it.
pub(super) fn collected(kind: &ResourceType, body: &Bytes, raw: &str, head: Head<'_>) -> Collected {
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
        uid: metadata.uid.into_owned(),
        resource_version: metadata.resource_version.into_owned(),
        terminating: metadata.deletion_timestamp.is_some(),
    };
    Collected { facts, raw: whole }
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
    let mut whole = String::with_capacity(
        raw.len() + 40 + kind.group.len() + kind.version.len() + kind.kind.len(),
    );
    whole.push('{');
    // Groups, versions and kinds are names of RFC 1123 and identifiers: nothing to escape.
    if lacks_version {
        whole.push_str("\"apiVersion\":\"");
        if !kind.group.is_empty() {
            whole.push_str(&kind.group);
            whole.push('/');
        }
        whole.push_str(&kind.version);
        whole.push_str("\",");
    }
    if lacks_kind {
        whole.push_str("\"kind\":\"");
        whole.push_str(&kind.kind);
        whole.push_str("\",");
    }
    if rest.trim_start().starts_with('}') {
        // Nothing follows, so neither may the comma.
        whole.pop();
    }
    whole.push_str(rest);
    whole.into()
}
