//! The extension is killed at each step of a backup and of a restore, and the job still ends with the truth.

use strongroom_core::job::JobOperation;
use strongroom_e2e::sample::LEDGER;

use super::stage_of_tests::{TestStage, status};

#[test]
fn a_backup_survives_the_death_of_the_extension_at_each_step() {
    let stage = TestStage::protected(&LEDGER);
    for (at, taken) in points(JobOperation::Backup).iter().zip(1..) {
        stage.crash_extension_at(at);
        let backup = stage.back_up().unwrap();
        assert_eq!(status(&backup), "Completed", "killed at {at}: {backup:#}");
        assert_eq!(
            stage.recovery_points().unwrap().len(),
            taken,
            "killed at {at}"
        );
        assert_eq!(
            stage.leftover_jobs().unwrap(),
            Vec::<String>::new(),
            "killed at {at}"
        );
        assert!(
            stage.extension_restarts() >= 1,
            "the extension was not killed at {at}: this test proves nothing"
        );
    }
}

#[test]
fn a_restore_survives_the_death_of_the_extension_at_each_step() {
    let stage = TestStage::protected(&LEDGER);
    let before = LEDGER.state(&stage.kubectl).unwrap();
    stage.back_up().unwrap();
    for at in points(JobOperation::Restore) {
        LEDGER.lose(&stage.kubectl).unwrap();
        stage.crash_extension_at(&at);
        let restore = stage.restore(&[]).unwrap();
        assert_eq!(status(&restore), "Completed", "killed at {at}: {restore:#}");
        let after = LEDGER.state(&stage.kubectl).unwrap();
        assert_eq!(
            before.differences(&after),
            Vec::<String>::new(),
            "killed at {at}"
        );
        assert_eq!(
            stage.leftover_jobs().unwrap(),
            Vec::<String>::new(),
            "killed at {at}"
        );
        assert!(
            stage.extension_restarts() >= 1,
            "the extension was not killed at {at}: this test proves nothing"
        );
    }
}

/// Both crash points of each step: before it does anything, and after it did all.
fn points(operation: JobOperation) -> Vec<String> {
    operation
        .steps()
        .iter()
        .map(|step| step.as_str())
        .flat_map(|step| [format!("{step}:before"), format!("{step}:after")])
        .collect()
}

impl TestStage {
    /// Restarts the extension so that it kills itself once at this point.
    pub(super) fn crash_extension_at(&self, point: &str) {
        self.set_in_extension(&format!("STRONGROOM_CRASH_AT={point}"));
    }

    /// Restarts the extension with this variable in its environment.
    pub(super) fn set_in_extension(&self, variable: &str) {
        let deployment = "deployment/backup-extension";
        let namespace = ["-n", "dataprotection-microsoft"];
        self.kubectl
            .run(&[&namespace[..], &["set", "env", deployment, variable]].concat())
            .unwrap();
        self.kubectl
            .run(
                &[
                    &namespace[..],
                    &["rollout", "status", deployment, "--timeout=90s"],
                ]
                .concat(),
            )
            .unwrap();
    }

    /// How often the container of the running extension pod has been started again.
    pub(super) fn extension_restarts(&self) -> u64 {
        let pods = self
            .kubectl
            .json(&["-n", "dataprotection-microsoft", "get", "pods"])
            .unwrap();
        let restarts = |pod: &serde_json::Value| {
            pod["status"]["containerStatuses"][0]["restartCount"]
                .as_u64()
                .unwrap_or(0)
        };
        pods["items"].as_array().unwrap().iter().map(restarts).sum()
    }
}
