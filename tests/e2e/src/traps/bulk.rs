//! Objects that are traps by their number or size.

use serde_json::{Map, Value, json};

/// The longest name of most types. Source: RFC 1123 as `k8s.io/apimachinery` applies it.
const LONGEST_NAME: usize = 253;

/// How many labels one object has.
const LABELS: usize = 10_000;

/// How many bytes the large ConfigMap's value has.
const LARGE: usize = 900 * 1024;

/// ConfigMaps and custom resources to be created in `trap-data`, with the path of their collection.
pub(super) fn objects() -> Vec<(&'static str, Value)> {
    const MAPS: &str = "/api/v1/namespaces/trap-data/configmaps";
    const SECRETS: &str = "/api/v1/namespaces/trap-data/secrets";
    const GADGETS: &str = "/apis/trap.example.com/v1/namespaces/trap-data/gadgets";
    let mut all = Vec::new();
    let map = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    let long = format!("long.{}", "x".repeat(LONGEST_NAME - 5));
    all.push((MAPS, map(&long, json!({"a": "1"}))));
    all.push((MAPS, map("large", json!({"a": "z".repeat(LARGE)}))));
    let labels: Map<String, Value> = (0..LABELS)
        .map(|n| (format!("label-{n}"), json!(n.to_string())))
        .collect();
    let mut labelled = map("ten-thousand-labels", json!({}));
    labelled["metadata"]["labels"] = Value::Object(labels);
    all.push((MAPS, labelled));
    let mut annotated = map("large-annotation", json!({}));
    annotated["metadata"]["annotations"] = json!({"example.com/a": "y".repeat(200 * 1024)});
    all.push((MAPS, annotated));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s-{}", "y".repeat(LONGEST_NAME - 2))},
        "data": {"a": "AA=="}});
    all.push((SECRETS, secret));
    let gadget = |name: String, spec: Value| json!({"apiVersion": "trap.example.com/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec});
    all.push((
        GADGETS,
        gadget("g".repeat(LONGEST_NAME), json!({"onlyInV1": "x"})),
    ));
    for n in 0..50 {
        all.push((
            MAPS,
            map(&format!("plain-{n:02}"), json!({"n": n.to_string()})),
        ));
    }
    for n in 0..30 {
        let spec = json!({"big": i64::MAX - n, "free": {"n": n, "list": [null, {"deep": n}]}});
        all.push((GADGETS, gadget(format!("gadget-{n:02}"), spec)));
    }
    all
}
