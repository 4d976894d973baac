//! A Job that had done a part of its work goes on with the rest.

use serde_json::json;
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::JobState;

use super::bad_input::{create, delete, empty_namespace};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{line, remove};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_had_done_a_part_goes_on_with_the_rest() {
    let Some(stage) = Stage::new("part").await else {
        return;
    };
    let name = "strongroom-part";
    empty_namespace(&stage, name).await;
    let jobs = ResourceType::new("batch", "v1", "Job", "jobs", true);
    let change = async |part: &serde_json::Value| {
        objects::patch_merge(&stage.cluster, &jobs, Some(name), "import", part)
            .await
            .unwrap();
    };
    let live = async || {
        let live = objects::get(&stage.cluster, &jobs, Some(name), "import").await;
        live.unwrap().unwrap()
    };
    // No node takes its pods, so that nothing goes on behind the test's back.
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "import", "namespace": name},
        "spec": {"suspend": true, "completions": 4, "parallelism": 1, "completionMode": "Indexed",
            "template": {"spec": {"restartPolicy": "Never", "nodeSelector": {"no": "such"},
                "containers": [{"name": "c", "image": "c:1"}]}}}});
    create(&stage, &jobs, &job).await;
    let progress = json!({"succeeded": 2, "failed": 1, "completedIndexes": "0,2"});
    objects::patch_status(&stage.cluster, &jobs, Some(name), "import", &progress)
        .await
        .unwrap();
    change(&json!({"spec": {"suspend": false}})).await;
    let active = async || {
        while live().await["status"]["active"] != 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, active())
        .await
        .expect("its controller begins");
    let backup = stage.backup_of(&[name]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    delete(&stage, &jobs, name, "import").await;
    objects::wait_gone(&stage.cluster, &jobs, Some(name), "import", PATIENCE)
        .await
        .unwrap();

    let restore = stage.restore_of(&backup);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    assert_eq!(status.state, JobState::Completed, "{lines:#?}");
    let told = line(&lines, "batch/Job strongroom-part/import");
    assert_eq!(told.outcome, Outcome::Created);
    assert!(
        told.reason.contains("2 pods succeeded and 1 failed"),
        "{told:?}"
    );
    tokio::time::timeout(PATIENCE, active())
        .await
        .expect("its controller goes on");
    let after = live().await;
    assert_eq!(after["spec"]["suspend"], false);
    for field in ["succeeded", "failed", "completedIndexes"] {
        assert_eq!(after["status"][field], progress[field], "{after}");
    }
    remove(&stage, &core("Namespace", "namespaces", false), name).await;
}
