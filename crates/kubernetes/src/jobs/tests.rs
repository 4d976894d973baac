//! Jobs' custom resources against an API server in memory.

use std::sync::Mutex;

use serde_json::{Value, json};
use strongroom_core::selection::Selection;

use super::*;
use crate::testing::{Answer, cluster};

const NAMESPACE: &str = "dataprotection-microsoft";

fn spec() -> BackupSpec {
    BackupSpec {
        job_id: Uuid::from_u128(1),
        mode: BackupMode::Backup,
        recovery_point_id: Uuid::from_u128(2),
        backup_instance_id: "/subscriptions/s/x".into(),
        selection: Selection::default(),
        snapshot_classes: Vec::new(),
        parent_recovery_point_id: None,
        sealed: "c2VhbGVk".into(),
        deadline: None,
    }
}

/// A server that keeps one object.
fn one_place() -> impl Fn(&crate::testing::Asked) -> Answer {
    let place: Mutex<Option<Value>> = Mutex::new(None);
    move |asked| {
        let mut place = place.lock().unwrap();
        match (asked.method.as_str(), place.as_ref()) {
            ("POST", None) => {
                *place = Some(asked.body.clone());
                Answer::raw(201, asked.body.to_string())
            }
            ("POST", Some(_)) => Answer::failed(409, "AlreadyExists", "it exists"),
            ("GET", Some(object)) => Answer::ok(object),
            ("DELETE", Some(_)) => {
                *place = None;
                Answer::ok(&json!({"kind": "Status"}))
            }
            _ => Answer::failed(404, "NotFound", "no"),
        }
    }
}

#[tokio::test]
async fn making_a_jobs_backup_twice_is_making_it_once() {
    let (cluster, _) = cluster(one_place());
    let first = create_backup(&cluster, NAMESPACE, &spec()).await.unwrap();
    let again = BackupSpec {
        sealed: "b3RoZXI=".into(),
        ..spec()
    };
    let second = create_backup(&cluster, NAMESPACE, &again).await.unwrap();
    assert_eq!(first, second);
    let name = "backup-00000000-0000-0000-0000-000000000001";
    assert_eq!(first.metadata.name.as_deref(), Some(name));
    let job = spec().job_id;
    assert_eq!(
        get_backup(&cluster, NAMESPACE, job).await.unwrap(),
        Some(first)
    );
    assert!(delete_backup(&cluster, NAMESPACE, job).await.unwrap());
    assert!(!delete_backup(&cluster, NAMESPACE, job).await.unwrap());
    assert_eq!(get_backup(&cluster, NAMESPACE, job).await.unwrap(), None);
}

#[tokio::test]
async fn a_backup_of_that_name_for_another_recovery_point_is_a_conflict() {
    let (cluster, _) = cluster(one_place());
    create_backup(&cluster, NAMESPACE, &spec()).await.unwrap();
    let other = BackupSpec {
        recovery_point_id: Uuid::from_u128(9),
        ..spec()
    };
    let error = create_backup(&cluster, NAMESPACE, &other)
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Conflict { .. }), "{error}");
}

#[tokio::test]
async fn all_jobs_of_the_namespace_are_listed() {
    let (cluster, _) = cluster(|_| {
        let one = json!({"apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
            "kind": "Backup", "metadata": {"name": "backup-x"}, "spec": spec()});
        Answer::ok(&json!({"metadata": {"resourceVersion": "1"}, "items": [one]}))
    });
    let all = list_backups(&cluster, NAMESPACE).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].spec, spec());
}
