//! Lets the extension remove the volume snapshots of a recovery point.
//!
//! Contract: one look at the custom resource that asks for it, whose name follows from the point's id: it
//! is made when it is not there, waited for, and removed once it has completed. Nothing is remembered here,
//! so a process that dies anywhere is followed by one that looks again; asked for twice, the second time
//! finds nothing to remove.

use strongroom_core::error::{Code, Problem};
use strongroom_core::selection::Selection;
use strongroom_kubernetes::crd::{BackupMode, BackupSpec, JobState};
use uuid::Uuid;

use crate::app::{App, Error, Result};
use crate::cluster_link::{JobKind, JobSpec, LinkError, VaultAccess};

/// Where the removal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgotten {
    /// None is left.
    All,
    /// The extension is at it.
    NotYet,
}

/// One look. An error is why it cannot go on now; asking again later is right.
pub(super) async fn forget_snapshots(
    app: &App,
    access: &VaultAccess,
    instance_id: &str,
    point: Uuid,
) -> Result<Forgotten> {
    let told = |error: LinkError| Error::from(error.problem);
    let kind = JobKind::Forget;
    let observed = app.clusters.observe(access, kind, point).await;
    let Some(status) = observed.map_err(told)? else {
        let spec = JobSpec::Backup(BackupSpec {
            job_id: point,
            mode: BackupMode::Forget,
            recovery_point_id: point,
            backup_instance_id: instance_id.to_owned(),
            selection: Selection::default(),
            parent_recovery_point_id: None,
            sealed: String::new(),
            deadline: None,
        });
        app.clusters.create(access, &spec).await.map_err(told)?;
        return Ok(Forgotten::NotYet);
    };
    match status.state {
        JobState::Pending | JobState::Running => Ok(Forgotten::NotYet),
        JobState::Completed | JobState::CompletedWithWarnings => {
            let gone = app.clusters.remove(access, kind, point).await;
            gone.map_err(told)?;
            Ok(Forgotten::All)
        }
        JobState::Failed => {
            // The next look asks anew.
            let gone = app.clusters.remove(access, kind, point).await;
            gone.map_err(told)?;
            let (code, message) = match status.error {
                Some(error) => (Code::parse(&error.code), error.message),
                None => (None, "the extension gave no reason".to_owned()),
            };
            let code = code.unwrap_or(Code::InternalServerError);
            let message = format!("The volume snapshots of the recovery point stay: {message}");
            Err(Problem::new(code, message).into())
        }
    }
}
