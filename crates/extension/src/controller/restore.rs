//! Restore custom resources.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::crd::RestoreSpec;
use strongroom_kubernetes::jobs;
use uuid::Uuid;

use super::Work;
use crate::job::{Attempt, Done, JobFailure};
use crate::restore;

/// Validates and carries out restores.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreWork;

#[async_trait::async_trait]
impl Work for RestoreWork {
    type Spec = RestoreSpec;

    fn kind(&self) -> ResourceType {
        jobs::restores()
    }

    fn parse(&self, spec: Value) -> Result<RestoreSpec, serde_json::Error> {
        serde_json::from_value(spec)
    }

    fn facts(&self, spec: &RestoreSpec) -> (Uuid, Option<Timestamp>) {
        (spec.job_id, spec.deadline)
    }

    fn restarted_code(&self) -> Code {
        Code::UserErrorBackupPluginPodRestartedDuringRestore
    }

    async fn run(&self, attempt: &Attempt, spec: &RestoreSpec) -> Result<Done, JobFailure> {
        restore::run(attempt, spec).await
    }
}
