//! Owner references across a restore.

use serde_json::{Value, json};

use super::stage::{Stage, assert_completed};

fn config_map(stage: &Stage, name: &str, owners: &[(&str, &Value)]) -> Value {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(name, owner)| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]})
        })
        .collect();
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"}});
    if !owners.is_empty() {
        object["metadata"]["ownerReferences"] = json!(owners);
    }
    stage.api.create(&object)
}

#[tokio::test]
async fn chains_and_cycles_of_owners_come_back_with_the_new_uids() {
    let stage = Stage::new().await;
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    // A chain against the order of names, and a cycle of two.
    let root = config_map(&stage, "z", &[]);
    let middle = config_map(&stage, "m", &[("z", &root)]);
    config_map(&stage, "a", &[("m", &middle), ("z", &root)]);
    let left = config_map(&stage, "left", &[]);
    let right = config_map(&stage, "right", &[("left", &left)]);
    stage.api.delete("configmaps", Some("shop"), "left");
    let left = json!({"metadata": {"uid": right["metadata"]["uid"]}});
    config_map(&stage, "left", &[("right", &left)]);
    let live_left = stage.api.get("configmaps", Some("shop"), "left").unwrap();
    stage.api.delete("configmaps", Some("shop"), "right");
    config_map(&stage, "right", &[("left", &live_left)]);

    let backup = stage.backup_of(&["shop"]);
    assert_completed(&stage.back_up(&backup).await);
    stage.api.delete("namespaces", None, "shop");
    assert_completed(
        &stage
            .restore(&stage.restore_spec(backup.recovery_point_id))
            .await,
    );

    let get = |name: &str| stage.api.get("configmaps", Some("shop"), name).unwrap();
    let owners = |name: &str| -> Vec<Value> {
        let references = get(name)["metadata"]["ownerReferences"].clone();
        references
            .as_array()
            .into_iter()
            .flatten()
            .map(|owner| owner["uid"].clone())
            .collect()
    };
    let uid = |name: &str| get(name)["metadata"]["uid"].clone();
    assert_eq!(owners("a"), [uid("m"), uid("z")]);
    assert_eq!(owners("m"), [uid("z")]);
    assert_eq!(owners("left"), [uid("right")]);
    assert_eq!(owners("right"), [uid("left")]);
}
