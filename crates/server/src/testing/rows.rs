//! The rows of which `cargo xtask bench control-plane` makes its catalogue are rows as this server writes them.
//!
//! `rows.json` holds one of each with `@NAME@` for what the benchmark puts in. What a row holds and of which
//! type must be what the way of a real backup leaves, through the public contract and an extension.

use serde_json::{Map, Value, json};

use super::protection::Protected;
use crate::store::JobFilter;

const ROWS: &str = include_str!("rows.json");

/// The same with the names of types for values, and of lists the first element alone.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(members) => {
            let members = members.iter();
            let shaped: Map<String, Value> = members
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect();
            Value::Object(shaped)
        }
    }
}

/// What a backup of a protected cluster leaves.
async fn written() -> Value {
    let it = Protected::new().await;
    it.recovery_point().await;
    let mut session = it.harness.app.store.read().await.unwrap();
    let body = async |session: &mut dyn crate::store::Session, id: &str| {
        let row = session.resource(&id.to_lowercase()).await.unwrap();
        row.unwrap().body
    };
    let cluster = body(&mut *session, &it.cluster).await;
    let instance = body(&mut *session, &it.instance).await;
    let key = it.instance.to_lowercase();
    let points = session.recovery_points(&key, (None, None), None, 1).await;
    let point = session.recovery_point(points.unwrap().rows[0].id).await;
    let mut point = point.unwrap().unwrap().body;
    // Three words of each type, of which a cluster has a hundred; a type is held or it is not.
    for served in point["servedTypes"].as_array_mut().unwrap() {
        served.as_object_mut().unwrap().remove("heldVersion");
    }
    let filter = JobFilter {
        vault_key: it.vault.to_lowercase(),
        ..JobFilter::default()
    };
    let job = session.jobs(&filter, None, 1).await.unwrap().rows.remove(0);
    let repository = session.repositories(&key).await.unwrap().remove(0);
    json!({
        "cluster": cluster,
        "instance": instance,
        "recoveryPoint": point,
        "repository": {"containerId": repository.container_id, "prefix": repository.prefix},
        "job": {
            "operation": job.operation, "status": job.status, "step": job.step,
            "progress": job.progress, "request": job.request, "result": job.result, "error": job.error,
        },
    })
}

#[tokio::test]
async fn the_rows_of_the_benchmark_are_those_that_a_backup_leaves() {
    let written = written().await;
    let rows: Value = serde_json::from_str(ROWS).unwrap();
    assert_eq!(shape(&rows), shape(&written), "{written:#}");
}
