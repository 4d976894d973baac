//! Writes the manifest: the recovery point exists.

use serde_json::json;
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_repository::{Error, Repository};

use super::collect::Gathered;
use super::discover::Found;
use super::open::sealed_before;
use crate::job::{Attempt, Done, JobFailure};
use crate::point::{FORMAT, PointHeader};
use crate::volumes::Protected;

pub(super) async fn seal(
    attempt: &Attempt,
    repository: &Repository,
    spec: &BackupSpec,
    found: Found,
    gathered: &mut Gathered,
    protected: &Protected,
) -> Result<Done, JobFailure> {
    let sums = attempt.progress.snapshot();
    let header = PointHeader {
        format: FORMAT,
        job_id: spec.job_id,
        backup_instance_id: spec.backup_instance_id.clone(),
        cluster: found.cluster,
        selection: spec.selection.clone(),
        cut: gathered.cut.clone(),
        counts: sums.counts,
        outside: sums.outside,
        report_attempt: attempt.number,
        volumes: protected.snapshots,
        volume_groups: protected.groups,
        snapshot_window_millis: protected.window_millis(),
    };
    let now = attempt.environment.clock.now();
    let sealed = match gathered.writer.seal(json!(header), now).await {
        Ok(sealed) => sealed,
        // Another process may have sealed it for this job a moment ago.
        Err(error @ Error::Exists { .. }) => {
            return sealed_before(attempt, repository, spec)
                .await?
                .ok_or_else(|| error.into());
        }
        Err(error) => return Err(error.into()),
    };
    attempt.progress.set_new_bytes(sealed.stats.new_bytes);
    tracing::info!(
        job.id = %attempt.job, recovery_point.id = %spec.recovery_point_id,
        entries = sealed.stats.entries, bytes = sealed.stats.bytes,
        new_bytes = sealed.stats.new_bytes, unchanged = sealed.stats.unchanged,
        "recovery point sealed"
    );
    Ok(Done {
        manifest_digest: Some(sealed.digest),
        report_attempt: Some(attempt.number),
        cut: Some(gathered.cut.to_string()),
        volumes: protected.snapshots,
        snapshot_window_millis: protected.window_millis(),
        ..Done::default()
    })
}
