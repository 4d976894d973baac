//! Backup custom resources that only ask what a backup would take.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::crd::{BackupMode, BackupSpec};
use strongroom_kubernetes::jobs;
use uuid::Uuid;

use super::Work;
use crate::backup;
use crate::job::{Attempt, Done, JobFailure};

/// Counts what backups would take. In a lane of its own: whoever edits a configuration does not wait for
/// a backup that runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PreviewWork;

#[async_trait::async_trait]
impl Work for PreviewWork {
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
        if spec.mode == BackupMode::Preview {
            return backup::preview(attempt, spec).await;
        }
        // Its name says preview: a backup of that name would not be found by its vault.
        let message = format!("{} has the name of a preview but is none", attempt.name);
        Err(JobFailure::new(Code::InvalidRequestContent, message))
    }
}
