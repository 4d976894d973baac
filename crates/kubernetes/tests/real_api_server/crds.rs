//! The API server takes our schemas and holds to them.

use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_core::restore::RestoreCriteria;
use strongroom_core::selection::Selection;
use strongroom_kubernetes::apply::{self as objects};
use strongroom_kubernetes::crd::{
    self, BackupMode, BackupSpec, JobState, JobStatus, RestoreMode, RestoreSpec,
};
use strongroom_kubernetes::{Cluster, Failure, jobs};
use uuid::Uuid;

fn hook(kind: &ResourceType, namespace: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

async fn is_refused(cluster: &Cluster, kind: &ResourceType, object: &Value) -> bool {
    match objects::create(cluster, kind, object).await {
        Err(error) => matches!(error.failure, Failure::Invalid { .. }),
        Ok(_) => false,
    }
}

#[tokio::test]
async fn the_published_hooks_are_taken_in_both_shapes_and_a_mixture_is_not() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "hooks").await;
    let cases = [
        (
            crd::resource_type("BackupHook", "backuphooks"),
            "backupHook",
        ),
        (
            crd::resource_type("RestoreHook", "restorehooks"),
            "restoreHook",
        ),
    ];
    for (kind, list) in cases {
        let one = json!({
            "name": "hook1", "includedNamespaces": ["hrweb"], "excludedNamespaces": null,
            "labelSelector": null,
            "postHooks": [{"exec": {"container": "webcontainer",
                "command": ["/sbin/fsfreeze", "--unfreeze"], "onError": "Fail"}}],
        });
        let flat = hook(&kind, &namespace, "flat", one.clone());
        super::create(&cluster, &kind, &flat).await;
        let listed = hook(&kind, &namespace, "listed", json!({ list: [one.clone()] }));
        super::create(&cluster, &kind, &listed).await;

        let mut both = one.clone();
        both[list] = json!([one]);
        for (name, spec) in [("both", both), ("neither", json!({}))] {
            let object = hook(&kind, &namespace, name, spec);
            assert!(is_refused(&cluster, &kind, &object).await, "{object}");
        }
        let mut odd = one.clone();
        odd["postHooks"][0]["exec"]["onError"] = json!("Maybe");
        assert!(is_refused(&cluster, &kind, &hook(&kind, &namespace, "odd", odd)).await);
        let mut empty = one.clone();
        empty["postHooks"][0]["exec"]["command"] = json!([]);
        assert!(is_refused(&cluster, &kind, &hook(&kind, &namespace, "empty", empty)).await);
    }
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_backup_hook_that_could_not_be_followed_is_refused_when_it_is_applied() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "odd-hooks").await;
    let kind = crd::resource_type("BackupHook", "backuphooks");
    let good = json!({
        "name": "hook1",
        "labelSelector": {"matchLabels": {"app": "db"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["old"]},
            {"key": "app", "operator": "Exists"}]},
        "preHooks": [{"exec": {"command": ["/bin/true", ""], "timeout": "5m", "onError": null}},
            {"exec": {"command": ["/bin/true"], "timeout": null, "container": null}}],
    });
    super::create(
        &cluster,
        &kind,
        &hook(&kind, &namespace, "good", good.clone()),
    )
    .await;
    let exec = "/preHooks/0/exec";
    let expression = "/labelSelector/matchExpressions";
    let odd = [
        (format!("{exec}/timeout"), json!("0s")),
        (format!("{exec}/timeout"), json!("5m1s")),
        (format!("{exec}/timeout"), json!("soon")),
        (format!("{exec}/command"), json!([""])),
        (format!("{exec}/command"), json!(vec!["x"; 257])),
        (format!("{exec}/onError"), json!("Ignore")),
        (
            exec.to_owned(),
            json!({"command": ["/bin/true"], "container": ""}),
        ),
        (
            "/preHooks".to_owned(),
            json!(vec![good["preHooks"][0].clone(); 65]),
        ),
        (format!("{expression}/0/operator"), json!("Gt")),
        (format!("{expression}/0/values"), json!([])),
        (
            format!("{expression}/1"),
            json!({"key": "app", "operator": "Exists", "values": ["a"]}),
        ),
    ];
    for (place, value) in odd {
        let mut spec = good.clone();
        *spec.pointer_mut(&place).unwrap() = value;
        for spec in [spec.clone(), json!({"backupHook": [spec]})] {
            let object = hook(&kind, &namespace, "odd", spec);
            assert!(
                is_refused(&cluster, &kind, &object).await,
                "{place}: {object}"
            );
        }
    }
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_restore_hook_that_could_not_be_followed_is_refused_when_it_is_applied() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "odd-restore-hooks").await;
    let kind = crd::resource_type("RestoreHook", "restorehooks");
    let good = json!({
        "name": "hook1",
        "postHooks": [
            {"exec": {"command": ["/bin/true"], "execTimeout": "5m", "waitTimeout": "30m"}},
            {"exec": {"command": ["/bin/true"], "execTimeout": null, "waitTimeout": null}}],
    });
    let taken = hook(&kind, &namespace, "good", good.clone());
    super::create(&cluster, &kind, &taken).await;
    for (field, value) in [
        ("execTimeout", "5m1s"),
        ("execTimeout", "0s"),
        ("waitTimeout", "31m"),
        ("waitTimeout", "soon"),
        ("container", ""),
    ] {
        let mut spec = good.clone();
        spec["postHooks"][0]["exec"][field] = json!(value);
        for spec in [spec.clone(), json!({"restoreHook": [spec]})] {
            let object = hook(&kind, &namespace, "odd", spec);
            assert!(is_refused(&cluster, &kind, &object).await, "{object}");
        }
    }
    super::remove_namespace(&cluster, &namespace).await;
}

/// Writes a Backup's status as the extension does: whole, at the version that was read.
async fn write_status(cluster: &Cluster, namespace: &str, name: &str, status: &JobStatus) {
    let kind = jobs::backups();
    let read = objects::get(cluster, &kind, Some(namespace), name)
        .await
        .unwrap();
    let mut object = read.unwrap();
    object["status"] = serde_json::to_value(status).unwrap();
    objects::replace_status(cluster, &kind, &object)
        .await
        .unwrap();
    // What was read before is stale now.
    let stale = objects::replace_status(cluster, &kind, &object).await;
    assert!(matches!(
        stale.unwrap_err().failure,
        Failure::Conflict { .. }
    ));
}

#[tokio::test]
async fn a_jobs_spec_does_not_change_and_its_status_is_written_apart() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "jobs").await;
    let spec = BackupSpec {
        job_id: Uuid::from_u128(1),
        mode: BackupMode::Backup,
        recovery_point_id: Uuid::from_u128(2),
        backup_instance_id: "/subscriptions/s/i".into(),
        selection: Selection::default(),
        snapshot_classes: vec![strongroom_core::volumes::GivenClass {
            driver: "disk.csi.azure.com".to_owned(),
            parameters: [("incremental".to_owned(), "true".to_owned())].into(),
            group_class: Some("groups".to_owned()),
            by_default: true,
        }],
        parent_recovery_point_id: Some(Uuid::from_u128(3)),
        sealed: "c2VhbGVk".into(),
        deadline: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
    };
    let made = jobs::create_backup(&cluster, &namespace, &spec)
        .await
        .unwrap();
    assert_eq!(made.spec, spec, "the selection survives the API server");
    let (kind, name) = (jobs::backups(), jobs::backup_name(spec.job_id));
    let change = json!({"spec": {"sealed": "YW5vdGhlcg=="}});
    let changed = objects::patch_merge(&cluster, &kind, Some(&namespace), &name, &change)
        .await
        .unwrap_err();
    assert!(changed.to_string().contains("immutable"), "{changed}");

    let now = "2026-01-02T03:04:06.123456789Z".parse().unwrap();
    let mut status = JobStatus {
        observed_generation: 1,
        attempt: 1,
        state: JobState::Running,
        step: "collect".into(),
        step_started: Some(now),
        heartbeat: Some(now),
        total_items: Some(10),
        cut: Some("cut at 7".into()),
        counts: [("BackedUp".to_owned(), 3)].into(),
        ..JobStatus::default()
    };
    strongroom_kubernetes::conditions::of_job(&mut status, now);
    write_status(&cluster, &namespace, &name, &status).await;
    let read = jobs::get_backup(&cluster, &namespace, spec.job_id)
        .await
        .unwrap()
        .unwrap();
    let told = read.status.unwrap();
    assert_eq!(
        (told.state, told.total_items, told.heartbeat),
        (JobState::Running, Some(10), Some(now))
    );
    status.total_items = None;
    status.cut = None;
    write_status(&cluster, &namespace, &name, &status).await;
    let read = jobs::get_backup(&cluster, &namespace, spec.job_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.status, Some(status));
    assert_eq!(read.spec, spec);
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_restores_criteria_survive_the_api_server() {
    let Some((cluster, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "restore").await;
    let spec = RestoreSpec {
        job_id: Uuid::from_u128(1),
        recovery_point_id: Uuid::from_u128(2),
        backup_instance_id: "/subscriptions/s/i".into(),
        mode: RestoreMode::Validate,
        criteria: RestoreCriteria {
            namespace_mappings: [("shop".to_owned(), "shop-2".to_owned())].into(),
            ..RestoreCriteria::default()
        },
        sealed: "c2VhbGVk".into(),
        plan_digest: None,
        deadline: None,
    };
    let made = jobs::create_restore(&cluster, &namespace, &spec)
        .await
        .unwrap();
    assert_eq!(made.spec, spec);
    assert_eq!(
        jobs::list_restores(&cluster, &namespace)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        jobs::delete_restore(&cluster, &namespace, spec.job_id)
            .await
            .unwrap()
    );
    super::remove_namespace(&cluster, &namespace).await;
}
