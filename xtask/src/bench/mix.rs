//! The objects of the benchmark: the mix that is stated in `docs/benchmarks.md`, the same at every run.
//!
//! Object `i` is always the same object. Contents are words in an order that differs from object to
//! object, so that they compress as configuration does and no two are equal.

use serde_json::{Value, json};

/// Namespaces over which the objects are spread.
pub(crate) const NAMESPACES: usize = 20;

/// Bytes of content of each kind, as the mix states them.
const CONFIG_MAP_BYTES: usize = 2 * 1024;
const SECRET_BYTES: usize = 1024;
const ITEM_BYTES: usize = 3 * 1024;

/// The group of the custom resources.
pub(crate) const GROUP: &str = "bench.strongroom.example";

/// A step through the objects that visits every one once, whatever power of ten they are: a prime that
/// divides none of them. With it 1 % of the objects are spread over all kinds and namespaces.
const STRIDE: usize = 7_919;

/// The kinds, in shares of 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
    Deployment,
    Service,
    Item,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::ConfigMap,
        Self::Secret,
        Self::Deployment,
        Self::Service,
        Self::Item,
    ];

    /// The kind of object `index`: of each 20, 8 ConfigMaps (40 %), 4 Secrets (20 %), 3 Deployments
    /// (15 %), 2 Services (10 %) and 3 custom resources (15 %).
    fn of(index: usize) -> Self {
        match index % 20 {
            0..=7 => Self::ConfigMap,
            8..=11 => Self::Secret,
            12..=14 => Self::Deployment,
            15..=16 => Self::Service,
            _ => Self::Item,
        }
    }

    /// The path of the kind's API, and its plural.
    fn api(self) -> (&'static str, &'static str) {
        match self {
            Self::ConfigMap => ("/api/v1", "configmaps"),
            Self::Secret => ("/api/v1", "secrets"),
            Self::Deployment => ("/apis/apps/v1", "deployments"),
            Self::Service => ("/api/v1", "services"),
            Self::Item => ("/apis/bench.strongroom.example/v1", "items"),
        }
    }

    /// Where all objects of the kind are listed.
    pub(crate) fn list_path(self) -> String {
        let (api, plural) = self.api();
        format!("{api}/{plural}")
    }

    /// Where objects of the kind are created in a namespace.
    pub(crate) fn collection(self, namespace: &str) -> String {
        let (api, plural) = self.api();
        format!("{api}/namespaces/{namespace}/{plural}")
    }
}

/// One object, ready to be sent.
#[derive(Debug)]
pub(crate) struct Object {
    /// Where it is created.
    pub(crate) collection: String,
    /// Its name.
    pub(crate) name: String,
    /// Its JSON.
    pub(crate) body: Vec<u8>,
}

/// The name of a namespace of the mix.
pub(crate) fn namespace(number: usize) -> String {
    format!("bench-{number:02}")
}

/// The names of all of them.
pub(crate) fn namespaces() -> Vec<String> {
    (0..NAMESPACES).map(namespace).collect()
}

/// Object `index` as it is first made (`revision` 0) or as a later change leaves it.
pub(crate) fn object(index: usize, revision: usize) -> Object {
    let kind = Kind::of(index);
    let namespace = namespace((index / 20 + index) % NAMESPACES);
    let name = format!("{}-{index:06}", kind.api().1.trim_end_matches('s'));
    let mut words = Words::new(index, revision);
    let labels = json!({"app.kubernetes.io/part-of": "bench", "app.kubernetes.io/name": name});
    let mut body = match kind {
        Kind::ConfigMap => json!({"apiVersion": "v1", "kind": "ConfigMap",
            "data": {"settings.conf": words.text(CONFIG_MAP_BYTES)}}),
        Kind::Secret => json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "stringData": {"credentials": words.text(SECRET_BYTES)}}),
        Kind::Deployment => deployment(&name, &mut words),
        Kind::Service => json!({"apiVersion": "v1", "kind": "Service", "spec": {
            "clusterIP": "None",
            "selector": {"app.kubernetes.io/name": name},
            "ports": [{"name": format!("http-{}", revision % 10), "port": 80}],
        }}),
        Kind::Item => json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Item",
            "spec": {"size": index, "text": words.text(ITEM_BYTES)}}),
    };
    body["metadata"] = json!({"name": name, "namespace": namespace, "labels": labels});
    Object {
        collection: kind.collection(&namespace),
        name,
        body: body.to_string().into_bytes(),
    }
}

/// The objects that are changed between two backups: 1 % of all, of every kind and namespace.
pub(crate) fn changed(objects: usize) -> impl Iterator<Item = usize> {
    (0..objects / 100).map(move |step| (step * STRIDE + 13) % objects)
}

/// The custom resource definition of the items.
pub(crate) fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("items.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": "Item", "plural": "items", "singular": "item", "listKind": "ItemList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object", "properties": {
                        "size": {"type": "integer"}, "text": {"type": "string"},
                    },
                }}},
            }}],
        },
    })
}

fn deployment(name: &str, words: &mut Words) -> Value {
    let labels = json!({"app.kubernetes.io/name": name});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{
            "name": "web",
            "image": "registry.example/web:1",
            "env": [{"name": "GREETING", "value": words.text(64)}],
            "ports": [{"containerPort": 8080}],
        }]}},
    }})
}

/// Words in an order that only this object and revision have.
struct Words(u64);

impl Words {
    fn new(index: usize, revision: usize) -> Self {
        Self((index as u64) << 8 | revision as u64)
    }

    /// The next number of the generator SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Lines of settings, of this many bytes.
    fn text(&mut self, bytes: usize) -> String {
        const WORDS: [&str; 16] = [
            "cache", "timeout", "listen", "upstream", "retry", "queue", "worker", "log", "trace",
            "limit", "region", "replica", "shard", "token", "bucket", "policy",
        ];
        let mut text = String::with_capacity(bytes + 64);
        while text.len() < bytes {
            let number = self.next();
            let word = |shift: u32| WORDS[(number >> shift) as usize % WORDS.len()];
            text.push_str(&format!("{}.{}={:x}\n", word(0), word(4), number >> 8));
        }
        text.truncate(bytes);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_mix_has_the_stated_shares_over_all_namespaces() {
        let count = |kind| (0..10_000).filter(|i| Kind::of(*i) == kind).count();
        assert_eq!(Kind::ALL.map(count), [4_000, 2_000, 1_500, 1_000, 1_500]);
        let places: BTreeSet<String> = (0..2_000).map(|i| object(i, 0).collection).collect();
        assert_eq!(places.len(), NAMESPACES * Kind::ALL.len());
    }

    #[test]
    fn an_object_has_the_stated_size_and_is_the_same_at_every_run() {
        let config_map = object(0, 0);
        assert_eq!(config_map.body, object(0, 0).body);
        assert_ne!(config_map.body, object(0, 1).body);
        let value: Value = serde_json::from_slice(&config_map.body).unwrap();
        assert_eq!(value["data"]["settings.conf"].as_str().unwrap().len(), 2048);
    }

    #[test]
    fn one_percent_is_changed_of_every_kind_and_each_object_once() {
        for objects in [2_000, 10_000, 100_000] {
            let changed: BTreeSet<usize> = changed(objects).collect();
            assert_eq!(changed.len(), objects / 100);
            let positions: BTreeSet<usize> = changed.iter().map(|i| i % 20).collect();
            assert_eq!(positions.len(), 20);
        }
    }
}
