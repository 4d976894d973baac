//! Backup custom resources that ask to remove the volume snapshots of a recovery point.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::crd::{BackupMode, BackupSpec};
use strongroom_kubernetes::jobs;
use uuid::Uuid;

use super::Work;
use crate::job::{Attempt, Done, JobFailure};
use crate::volumes;

/// Removes volume snapshots. In a lane of its own: a driver that takes its time must not keep backups waiting.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForgetWork;

#[async_trait::async_trait]
impl Work for ForgetWork {
    type Spec = BackupSpec;

    fn kind(&self) -> ResourceType {
        jobs::backups()
    }

    fn parse(&self, spec: Value) -> Result<BackupSpec, serde_json::Error> {
        serde_json::from_value(spec)
    }

    fn facts(&self, spec: &BackupSpec) -> (Uuid, Option<Timestamp>) {
        (spec.job_id, spec.deadline)
    }

    fn restarted_code(&self) -> Code {
        Code::UserErrorBackupPluginPodRestartedDuringBackup
    }

    async fn run(&self, attempt: &Attempt, spec: &BackupSpec) -> Result<Done, JobFailure> {
        if spec.mode == BackupMode::Forget {
            return volumes::forget(attempt, spec).await;
        }
        // Its name says so: a backup of that name would not be found by its vault.
        let message = format!(
            "{} has the name of a removal of snapshots but is none",
            attempt.name
        );
        Err(JobFailure::new(Code::InvalidRequestContent, message))
    }
}
