//! One item of a list: the few facts that decisions need of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use strongroom_core::object::{ObjectFacts, ObjectRef, Owner, ResourceType};

use super::Collected;
use super::whole::Fronts;

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
    labels: Texts,
    annotations: Texts,
    owner_references: Option<Vec<Owner>>,
}

/// The item with its facts; `body` is the page that `raw` lies in, `head` what was read of it.
pub(super) fn collected(
    kind: &ResourceType,
    fronts: &Fronts<'_>,
    body: &Bytes,
    raw: &str,
    head: Head<'_>,
) -> Collected {
    let (lacks_version, lacks_kind) = (head.api_version.is_none(), head.kind.is_none());
    let whole = fronts.complete(body, raw, lacks_version, lacks_kind);
    let metadata = head.metadata;
    let mut object = ObjectRef::new(kind, metadata.namespace.as_deref(), &metadata.name);
    if let Some(own) = head.kind {
        object.kind = own.into_owned();
    }
    let facts = ObjectFacts {
        object,
        labels: metadata.labels.0,
        annotations: metadata.annotations.0,
        owners: metadata.owner_references.unwrap_or_default(),
        uid: metadata.uid.into_owned(),
        resource_version: metadata.resource_version.into_owned(),
        terminating: metadata.deletion_timestamp.is_some(),
    };
    Collected { facts, raw: whole }
}

/// A map of texts, read in one pass. A null map is an empty one and a null value an empty text, as Go
/// reads them.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of texts")
            }

            fn visit_unit<E>(self) -> Result<Texts, E> {
                Ok(Texts::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    texts.insert(key, value.unwrap_or_default());
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
