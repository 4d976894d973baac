//! Backup custom resources.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::crd::{BackupMode, BackupSpec};
use strongroom_kubernetes::jobs;
use uuid::Uuid;

use super::Work;
use crate::backup;
use crate::job::{Attempt, Done, JobFailure};

/// Makes recovery points.
#[derive(Debug, Default)]
pub struct BackupWork {
    /// Jobs whose parent recovery point turned out to be damaged. Lost with the process, whose
    /// successor finds out again.
    without_parent: Mutex<BTreeSet<Uuid>>,
}

#[async_trait::async_trait]
impl Work for BackupWork {
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
        let distrusted = || {
            self.without_parent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if spec.mode != BackupMode::Backup {
            let message = format!("{} is no backup and has the name of one", attempt.name);
            return Err(JobFailure::new(Code::InvalidRequestContent, message));
        }
        let use_parent =
            spec.parent_recovery_point_id.is_some() && !distrusted().contains(&spec.job_id);
        let outcome = backup::run(attempt, spec, use_parent).await;
        match outcome {
            Err(failure) if use_parent && backup::is_damaged_parent(&failure) => {
                tracing::warn!(
                    job.id = %attempt.job, error = %failure,
                    "the parent recovery point is damaged; everything is sent anew"
                );
                distrusted().insert(spec.job_id);
                match failure {
                    JobFailure::Final(problem) => Err(JobFailure::Unreachable(problem)),
                    other => Err(other),
                }
            }
            other => {
                distrusted().remove(&spec.job_id);
                other
            }
        }
    }
}
