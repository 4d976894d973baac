//! Restores into clusters that have changed since: a type in another version, a namespace that is on its
//! way out, a quota that is smaller than what comes.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd::{JobState, RestoreMode};

use super::application::Application;
use super::bad_input::{create, custom, define, definition, empty_namespace, undefine};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{emptied, line, remove};

/// A namespace of its own with a ConfigMap, a Secret and a Service, which nothing runs for.
pub(super) async fn plain(stage: &Stage, name: &str) -> Application {
    let place = empty_namespace(stage, name).await;
    for (kind, plural, object, rest) in [
        (
            "ConfigMap",
            "configmaps",
            "settings",
            json!({"data": {"greeting": "hello"}}),
        ),
        (
            "Secret",
            "secrets",
            "password",
            json!({"data": {"p": "aHVudGVyMg=="}}),
        ),
        (
            "Service",
            "services",
            "web",
            json!({"spec": {"ports": [{"port": 80}]}}),
        ),
    ] {
        let mut made = rest;
        made["apiVersion"] = json!("v1");
        made["kind"] = json!(kind);
        made["metadata"] = json!({"name": object, "namespace": name});
        create(stage, &core(kind, plural, true), &made).await;
    }
    place
}

const MODES: [RestoreMode; 2] = [RestoreMode::Validate, RestoreMode::Apply];

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_version_that_the_cluster_no_longer_serves_are_told_before_and_after() {
    let Some(stage) = Stage::new("outgrown").await else {
        return;
    };
    undefine(&stage, "amphoras").await;
    let place = empty_namespace(&stage, "strongroom-outgrown").await;
    define(&stage, &definition("Amphora", "amphoras", false)).await;
    let stored = custom("v1", "Amphora", "amphoras");
    let object = json!({"apiVersion": stored.api_version(), "kind": "Amphora",
        "metadata": {"name": "one", "namespace": place.namespace}, "spec": {"kept": "x"}});
    create(&stage, &stored, &object).await;
    let backup = stage.backup_of(&[&place.namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    undefine(&stage, "amphoras").await;
    let mut newer = definition("Amphora", "amphoras", true);
    let versions = newer["spec"]["versions"].as_array_mut().unwrap();
    versions.remove(0);
    versions[0]["storage"] = json!(true);
    define(&stage, &newer).await;
    for mode in MODES {
        let mut restore = stage.restore_of(&backup);
        restore.mode = mode;
        let status = stage.run_restore(&restore, CrashPoints::none()).await;
        let lines = stage.report(restore.job_id, &status).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        let told = line(&lines, "bad.example.com/Amphora strongroom-outgrown/one");
        let code = "UserErrorSourceandTargetClusterCRDVersionMismatch";
        let outcome = (told.outcome, told.code.as_deref());
        assert_eq!(outcome, (Outcome::Failed, Some(code)), "{told:?}");
        let named = told.reason.contains("as v2") && told.reason.contains("holds v1");
        assert!(named, "{told:?}");
    }
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
    undefine(&stage, "amphoras").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_does_not_end_is_a_finding_of_each_of_its_objects() {
    let Some(mut stage) = Stage::new("ending").await else {
        return;
    };
    let maps = core("ConfigMap", "configmaps", true);
    let namespaces = core("Namespace", "namespaces", false);
    let name = "strongroom-ending";
    let free = json!({"metadata": {"finalizers": null}});
    let _ = objects::patch_merge(&stage.cluster, &maps, Some(name), "held", &free).await;
    let application = plain(&stage, name).await;
    let backup = stage.backup_of(&[name]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": name, "finalizers": ["example.com/hold"]}});
    create(&stage, &maps, &held).await;
    let how = Propagation::Background;
    objects::delete(&stage.cluster, &namespaces, None, name, None, how)
        .await
        .unwrap();
    stage.namespace_gone_wait = Duration::from_millis(300);
    let restore = stage.restore_of(&backup);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    objects::patch_merge(&stage.cluster, &maps, Some(name), "held", &free)
        .await
        .unwrap();
    application.lose(&stage).await;
    let lines = stage.report(restore.job_id, &status).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let within = |kind: &str| {
        let inside = lines
            .iter()
            .filter(|line| line.object.namespace.as_deref() == Some(name));
        inside
            .filter(|line| line.object.kind == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    for kind in ["ConfigMap", "Secret", "Service"] {
        let told = within(kind);
        assert!(!told.is_empty(), "{lines:#?}");
        for one in told {
            let outcome = (one.outcome, one.code.as_deref());
            assert_eq!(
                outcome,
                (Outcome::Failed, Some("NamespaceTerminating")),
                "{one:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_there_already_refuses_what_exceeds_it_and_a_validation_foresees_that() {
    let Some(stage) = Stage::new("quota").await else {
        return;
    };
    let name = "strongroom-quota";
    let application = plain(&stage, name).await;
    let backup = stage.backup_of(&[name]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    emptied(&stage, &application).await;
    let quotas = core("ResourceQuota", "resourcequotas", true);
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "tight", "namespace": name},
        "spec": {"hard": {"count/secrets": "0", "count/services": "100"}}});
    create(&stage, &quotas, &quota).await;
    let counted = async {
        loop {
            let live = objects::get(&stage.cluster, &quotas, Some(name), "tight").await;
            let live: Value = live.unwrap().unwrap();
            if live["status"]["hard"]["count/secrets"] == "0" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted)
        .await
        .expect("the quota is counted");
    for mode in MODES {
        let mut restore = stage.restore_of(&backup);
        restore.mode = mode;
        let status = stage.run_restore(&restore, CrashPoints::none()).await;
        let lines = stage.report(restore.job_id, &status).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        let secret = line(&lines, "Secret strongroom-quota/password");
        let outcome = (secret.outcome, secret.code.as_deref());
        assert_eq!(
            outcome,
            (Outcome::Failed, Some("QuotaExceeded")),
            "{mode:?}: {secret:?}"
        );
        let service = line(&lines, "Service strongroom-quota/web");
        assert_eq!(
            (service.outcome, service.code.as_deref()),
            (Outcome::Created, None)
        );
    }
    application.lose(&stage).await;
}
