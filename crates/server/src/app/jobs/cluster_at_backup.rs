//! The cluster that a recovery point was made of, as its manifest tells of it.
//!
//! Contract: pure, and never a reason to refuse a point: what a manifest does not tell, or tells in a
//! shape that nobody knows, is left out.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;
use strongroom_api::recovery_point::{ClusterAtBackup, ServedType};
use strongroom_core::ResourceType;
use strongroom_repository::Point;

use crate::app::limits::SERVED_TYPES_TOLD;

/// What the manifest of `point` says of the cluster; none when it says nothing.
pub(super) fn of_point(point: &Point) -> Option<ClusterAtBackup> {
    let runs = point.runs().iter();
    let objects = runs.filter(|run| run.header.get("about").is_none());
    told(point.header(), objects.map(|run| &run.header))
}

/// The same from the header of the point and those of its runs of objects.
fn told<'a>(header: &Value, runs: impl Iterator<Item = &'a Value>) -> Option<ClusterAtBackup> {
    let cluster = header.get("cluster")?.as_object()?;
    let text = |key: &str| {
        let found = cluster.get(key).and_then(Value::as_str);
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let held = runs
        .filter_map(|run| ResourceType::deserialize(run.get("resource")?).ok())
        .map(|resource| (resource.resource(), resource.version))
        .collect::<BTreeMap<_, _>>();
    let served = cluster.get("served").and_then(Value::as_object);
    let types = served
        .into_iter()
        .flatten()
        .filter_map(|(resource, versions)| {
            let versions = versions.as_array()?.iter();
            let served_versions: Vec<String> = versions
                .filter_map(|version| version.as_str().map(str::to_owned))
                .collect();
            Some(ServedType {
                preferred_version: served_versions.first()?.clone(),
                held_version: held.get(resource).cloned(),
                resource: resource.clone(),
                served_versions,
            })
        });
    let types: Vec<ServedType> = types.take(SERVED_TYPES_TOLD).collect();
    Some(ClusterAtBackup {
        version: text("version"),
        platform: text("platform"),
        served_types: (!types.is_empty()).then_some(types),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(header: &Value, runs: &[Value]) -> Option<ClusterAtBackup> {
        told(header, runs.iter())
    }

    #[test]
    fn each_type_is_told_with_what_was_served_preferred_and_held() {
        let header = json!({"cluster": {"version": "v1.36.3", "platform": "linux/amd64", "served": {
            "configmaps": ["v1"], "relics.example.com": ["v2", "v1"]}}});
        let runs = [
            json!({"resource": {"group": "example.com", "version": "v1", "kind": "Relic",
            "plural": "relics", "namespaced": true}}),
        ];
        let told = of(&header, &runs).unwrap();
        assert_eq!(
            serde_json::to_value(&told).unwrap(),
            json!({"version": "v1.36.3", "platform": "linux/amd64", "servedTypes": [
                {"resource": "configmaps", "preferredVersion": "v1", "servedVersions": ["v1"]},
                {"resource": "relics.example.com", "preferredVersion": "v2",
                    "servedVersions": ["v2", "v1"], "heldVersion": "v1"}]})
        );
    }

    #[test]
    fn what_is_not_told_or_not_understood_is_left_out() {
        assert_eq!(of(&json!({}), &[]), None);
        assert_eq!(of(&json!({"cluster": "here"}), &[]), None);
        let odd = json!({"cluster": {"version": "", "served": {"a": [], "b": 7, "c": [1]}}});
        let told = of(&odd, &[json!({}), json!({"resource": 1})]);
        assert_eq!(told, Some(ClusterAtBackup::default()));
    }

    #[test]
    fn no_more_types_are_told_than_a_row_should_hold() {
        let types = |count: usize| -> serde_json::Map<String, Value> {
            (0..count)
                .map(|n| (format!("t{n}"), json!(["v1"])))
                .collect()
        };
        for (count, expected) in [
            (SERVED_TYPES_TOLD, SERVED_TYPES_TOLD),
            (SERVED_TYPES_TOLD + 1, SERVED_TYPES_TOLD),
        ] {
            let header = json!({"cluster": {"served": types(count)}});
            let told = of(&header, &[]).unwrap().served_types.unwrap();
            assert_eq!(told.len(), expected);
        }
    }
}
