//! The server is killed at each step of a backup and of a restore, started again, and the job ends with the truth.

use std::process::Command;
use std::time::Duration;

use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

/// Where the server can be told to die while it drives a job; `server/src/worker/crash.rs` says what
/// has happened at each.
const POINTS: [&str; 8] = [
    "job_recorded",
    "job_admitted",
    "resource_created",
    "work_observed",
    "result_observed",
    "manifest_verified",
    "job_finished",
    "resource_deleted",
];
/// The one that only backups come by.
const BACKUPS_ONLY: &str = "manifest_verified";

#[test]
fn a_backup_survives_the_death_of_the_server_at_each_step() {
    let mut stage = TestStage::protected(&LEDGER);
    for (at, taken) in POINTS.iter().zip(1..) {
        stage
            .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", at)])
            .unwrap();
        // The command may lose its server before it has an answer; the job goes on without it.
        let _command = stage
            .cli
            .start(&["backup", "start", INSTANCE, "--vault", VAULT])
            .unwrap();
        stage.wait_for_the_servers_death(at);
        stage.restart_server(&[]).unwrap();
        let jobs = stage.all_jobs_ended(at);
        assert_eq!(
            status(&jobs[0]),
            "Completed",
            "killed at {at}: {:#}",
            jobs[0]
        );
        assert_eq!(
            stage.recovery_points().unwrap().len(),
            taken,
            "killed at {at}"
        );
        stage.no_job_is_left(at);
    }
}

#[test]
fn a_restore_survives_the_death_of_the_server_at_each_step() {
    let mut stage = TestStage::protected(&LEDGER);
    let before = LEDGER.state(&stage.kubectl).unwrap();
    stage.back_up().unwrap();
    let point = stage.recovery_points().unwrap().remove(0);
    for at in POINTS.into_iter().filter(|point| *point != BACKUPS_ONLY) {
        LEDGER.lose(&stage.kubectl).unwrap();
        stage
            .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", at)])
            .unwrap();
        let _command = stage
            .cli
            .start(&[
                "restore",
                "start",
                INSTANCE,
                "--vault",
                VAULT,
                "--recovery-point",
                &point,
            ])
            .unwrap();
        stage.wait_for_the_servers_death(at);
        stage.restart_server(&[]).unwrap();
        let jobs = stage.all_jobs_ended(at);
        assert_eq!(
            status(&jobs[0]),
            "Completed",
            "killed at {at}: {:#}",
            jobs[0]
        );
        assert_eq!(
            before.differences(&LEDGER.state(&stage.kubectl).unwrap()),
            Vec::<String>::new(),
            "killed at {at}"
        );
        stage.no_job_is_left(at);
    }
}

impl TestStage {
    fn wait_for_the_servers_death(&mut self, at: &str) {
        let server = self.server().unwrap();
        wait_for(
            &format!("the server to die at {at}"),
            Duration::from_secs(60),
            || {
                server
                    .ended()
                    .map(drop)
                    .ok_or_else(|| "it still runs".to_owned())
            },
        )
        .unwrap();
    }

    /// All jobs of the vault, the newest first, once none is in progress any more.
    fn all_jobs_ended(&self, at: &str) -> Vec<serde_json::Value> {
        wait_for(
            &format!("all jobs to end after the death at {at}"),
            Duration::from_secs(120),
            || {
                let jobs = self
                    .cli
                    .json(&["job", "list", "--vault", VAULT])
                    .map_err(|error| error.to_string())?;
                let jobs = jobs.as_array().cloned().unwrap_or_default();
                match jobs.iter().find(|job| status(job) == "InProgress") {
                    Some(job) => Err(format!("{job:#}")),
                    None => Ok(jobs),
                }
            },
        )
        .unwrap()
    }

    /// The custom resources are gone, and the server knows it: the next death is another job's.
    fn no_job_is_left(&self, at: &str) {
        wait_for(
            &format!("nothing to be left to do after the death at {at}"),
            Duration::from_secs(60),
            || {
                let left = self.leftover_jobs().map_err(|error| error.to_string())?;
                let open = self.jobs_that_the_server_is_not_done_with();
                if left.is_empty() && open.is_empty() {
                    Ok(())
                } else {
                    Err(format!("in the cluster {left:?}, in the store {open}"))
                }
            },
        )
        .unwrap();
    }

    /// Ids and steps, read from the server's store: no client is shown what is left to clear away.
    fn jobs_that_the_server_is_not_done_with(&self) -> String {
        let script = "
import sqlite3, sys
db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
for row in db.execute(\"SELECT id, step FROM jobs WHERE step <> 'Done'\"):
    print(*row)
";
        let database = self.data_dir().join("strongroom.db");
        let told = Command::new("python3")
            .args(["-c", script])
            .arg(&database)
            .output()
            .unwrap();
        assert!(told.status.success(), "{told:?}");
        String::from_utf8_lossy(&told.stdout).into_owned()
    }
}
