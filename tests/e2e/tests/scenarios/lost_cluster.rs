//! The way to the cluster is cut in the middle of a backup and mended later.

use std::time::Duration;

use strongroom_e2e::cut::Cut;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

#[test]
fn a_backup_whose_cluster_is_lost_ends_and_leaves_nothing_once_the_cluster_is_back() {
    let mut stage = TestStage::bare();
    LEDGER.deploy(&stage.kubectl).unwrap();
    let mut cut = Cut::before(
        &stage.kubectl.kubeconfig,
        stage.data_dir().parent().unwrap(),
    )
    .unwrap();
    stage.create_vault().unwrap();
    stage.connect_cluster_as(&cut.kubeconfig).unwrap();
    stage.protect(&LEDGER).unwrap();
    // A short patience, so that the test need not wait the minutes that the product grants a network.
    stage
        .restart_server(&[("STRONGROOM_CLUSTER_UNREACHABLE_AFTER_SECONDS", "5")])
        .unwrap();

    stage
        .cli
        .run(&["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"])
        .unwrap();
    cut.sever();
    let job = wait_for("the job to end", Duration::from_secs(90), || {
        let jobs = stage
            .cli
            .json(&["job", "list", "--vault", VAULT])
            .map_err(|error| error.to_string())?;
        if status(&jobs[0]) == "InProgress" {
            Err(format!("{jobs:#}"))
        } else {
            Ok(jobs[0].clone())
        }
    })
    .unwrap();
    // Where the cut met the job decides between three truths: done before it, lost before the cluster
    // knew of the job, or lost after.
    if status(&job) == "Failed" {
        let code = job["properties"]["errorDetails"][0]["code"]
            .as_str()
            .unwrap();
        assert!(
            ["UserErrorClusterUnreachable", "ClusterLostDuringJob"].contains(&code),
            "{job:#}"
        );
    }
    cut.mend().unwrap();
    wait_for(
        "the custom resource to be removed",
        Duration::from_secs(90),
        || {
            let left = stage.leftover_jobs().map_err(|error| error.to_string())?;
            if left.is_empty() {
                Ok(())
            } else {
                Err(left.join(", "))
            }
        },
    )
    .unwrap();
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
}
