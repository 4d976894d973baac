//! `/version`, health and discovery, aggregated when the client asks for it, else plain.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::state::Kind;
use super::{Behind, Shared};

const VERBS: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];

/// The answer when the path is one of discovery's.
pub(crate) fn answer(shared: &Shared, path: &str, headers: &HeaderMap) -> Option<Value> {
    let aggregated = headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("apidiscovery.k8s.io"));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["version"] => Some(json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "linux/amd64",
        })),
        ["healthz" | "readyz" | "livez"] => Some(json!("ok")),
        ["api"] if aggregated => Some(aggregate(shared, |group| group.is_empty())),
        ["apis"] if aggregated => Some(aggregate(shared, |group| !group.is_empty())),
        ["api"] => Some(
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ),
        ["apis"] => Some(groups(shared)),
        ["api", version] => resources(shared, "", version),
        ["apis", group, version] => resources(shared, group, version),
        _ => None,
    }
}

/// Kinds by group and version, in the order in which they were served first.
fn by_group(shared: &Shared) -> BTreeMap<String, Vec<(String, Vec<Kind>)>> {
    let mut groups: BTreeMap<String, Vec<(String, Vec<Kind>)>> = BTreeMap::new();
    for kind in shared.state().kinds() {
        let versions = groups.entry(kind.group.clone()).or_default();
        match versions
            .iter_mut()
            .find(|(version, _)| *version == kind.version)
        {
            Some((_, kinds)) => kinds.push(kind.clone()),
            None => versions.push((kind.version.clone(), vec![kind.clone()])),
        }
    }
    groups
}

fn scope(kind: &Kind) -> &'static str {
    if kind.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    }
}

fn aggregate(shared: &Shared, wanted: impl Fn(&str) -> bool) -> Value {
    let items: Vec<Value> = by_group(shared)
        .into_iter()
        .filter(|(group, _)| wanted(group))
        .filter_map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .filter_map(|(version, kinds)| {
                    let behind = shared.behind(&group, version);
                    if behind != Behind::Answers {
                        let stale = json!({"version": version, "freshness": "Stale"});
                        return (behind == Behind::Down).then_some(stale);
                    }
                    let resources: Vec<Value> = kinds
                        .iter()
                        .map(|kind| {
                            json!({
                                "resource": kind.plural, "scope": scope(kind), "verbs": VERBS,
                                "singularResource": kind.kind.to_lowercase(),
                                "responseKind": {"group": "", "version": "", "kind": kind.kind},
                                "subresources": if kind.status {
                                    json!([{"subresource": "status", "verbs": ["get", "patch", "update"],
                                        "responseKind": {"group": "", "version": "", "kind": kind.kind}}])
                                } else { json!([]) },
                            })
                        })
                        .collect();
                    let current = "Current";
                    Some(json!({"version": version, "freshness": current, "resources": resources}))
                })
                .collect();
            (!versions.is_empty())
                .then(|| json!({"metadata": {"name": group}, "versions": versions}))
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    })
}

fn groups(shared: &Shared) -> Value {
    let groups: Vec<Value> = by_group(shared)
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, _)| {
                    json!({"groupVersion": format!("{group}/{version}"), "version": version})
                })
                .collect();
            json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resources(shared: &Shared, group: &str, version: &str) -> Option<Value> {
    let state = shared.state();
    let mut resources = Vec::new();
    for kind in state
        .kinds()
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
    {
        resources.push(json!({
            "name": kind.plural, "singularName": kind.kind.to_lowercase(), "kind": kind.kind,
            "namespaced": kind.namespaced, "verbs": VERBS,
        }));
        if kind.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "", "kind": kind.kind,
                "namespaced": kind.namespaced, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": resources,
    }))
}
