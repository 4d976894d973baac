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
            snapshot_classes: Vec::new(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::app::jobs::{COMPLETED, Progress};
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn the_volume_snapshots_of_a_deleted_instance_are_removed_by_the_job_that_removes_its_data()
     {
        let it = Protected::new().await;
        let plain = it.recovery_point().await;
        it.harness.clock.advance(Duration::from_secs(60));
        let with_volumes: Uuid = it.recovery_point().await.parse().unwrap();
        let mut session = it.harness.app.store.begin().await.unwrap();
        let mut row = session.recovery_point(with_volumes).await.unwrap().unwrap();
        row.body["properties"]["volumes"] = json!(3);
        let written = session
            .put_recovery_point_body(with_volumes, &row.body)
            .await;
        assert!(written.unwrap());
        session.commit().await.unwrap();
        it.soft_delete("Off").await;
        assert_eq!(it.harness.delete(&it.instance).await.status, 200);

        it.look_until_created().await;
        let resources = it.harness.clusters.resources();
        let JobSpec::Backup(spec) = &resources[0].spec else {
            panic!("{resources:?}")
        };
        assert_eq!(
            (spec.mode, spec.recovery_point_id),
            (BackupMode::Forget, with_volumes)
        );
        assert_ne!(plain, with_volumes.to_string());
        let job = it.open_job().await;
        let deleted = Progress::of(&job).unwrap().counts["Deleted"];
        assert!(deleted > 0, "the store does not wait for the cluster");
        let progress = Progress::of(&job).unwrap();
        assert_eq!(
            progress.waiting_for,
            "the volume snapshots of 1 recovery points"
        );

        it.harness
            .clusters
            .update_status(|status| status.state = JobState::Completed);
        it.look_until_idle().await;
        let job = it.job(job.id).await;
        assert_eq!(job.status, COMPLETED);
        assert_eq!(job.result["counts"]["Deleted"], deleted);
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn a_backup_that_failed_has_its_volume_snapshots_removed_whatever_its_extension_knows() {
        let it = Protected::new().await;
        assert_eq!(it.post("backup", adhoc()).await.status, 202);
        it.look_until_created().await;
        it.seal().await;
        let job = it.open_job().await;
        let point = job.request["recoveryPointId"].clone();
        it.harness
            .clusters
            .update_status(|status| status.state = JobState::Failed);
        it.look_until(async |it| it.job(job.id).await.step == "Forget")
            .await;
        assert!(
            it.harness.clusters.resources().is_empty(),
            "it has a moment first"
        );
        // The instance is deleted first: nobody would ever look at its repository again.
        assert_eq!(it.harness.delete(&it.instance).await.status, 200);
        it.look_until(async |it| !it.harness.clusters.resources().is_empty())
            .await;
        let resources = it.harness.clusters.resources();
        let JobSpec::Backup(spec) = &resources[0].spec else {
            panic!("{resources:?}")
        };
        assert_eq!(spec.mode, BackupMode::Forget);
        assert_eq!(json!(spec.recovery_point_id), point);
        it.look_until_idle().await;
        assert_eq!(it.job(job.id).await.step, "Done");
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn a_cluster_that_was_deregistered_does_not_keep_the_job_for_ever() {
        let it = Protected::new().await;
        let point: Uuid = it.recovery_point().await.parse().unwrap();
        let mut session = it.harness.app.store.begin().await.unwrap();
        let mut row = session.recovery_point(point).await.unwrap().unwrap();
        row.body["properties"]["volumes"] = json!(1);
        session
            .put_recovery_point_body(point, &row.body)
            .await
            .unwrap();
        session.commit().await.unwrap();
        it.soft_delete("Off").await;
        assert_eq!(it.harness.delete(&it.instance).await.status, 200);
        let mut session = it.harness.app.store.begin().await.unwrap();
        for id in [&it.binding, &it.extension, &it.cluster] {
            session.delete_resource(&id.to_lowercase()).await.unwrap();
        }
        session.commit().await.unwrap();
        let job = it.open_job().await;
        it.look_until_idle().await;
        assert_eq!(it.job(job.id).await.status, COMPLETED);
    }
}
