//! Opens the repository, and looks whether an earlier attempt sealed the recovery point already.

use strongroom_core::Code;
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_repository::{Point, Repository};

use crate::job::{Attempt, Done, JobFailure, Sums};
use crate::point::PointHeader;
use crate::secrets;

/// What was found.
pub(super) enum Opened {
    /// The recovery point is still to be made.
    Fresh(Repository),
    /// An earlier attempt of this job made it.
    Sealed(Done),
}

pub(super) async fn open(attempt: &Attempt, spec: &BackupSpec) -> Result<Opened, JobFailure> {
    let repository = secrets::open_repository(attempt, &spec.sealed).await?;
    match sealed_before(attempt, &repository, spec).await? {
        Some(done) => Ok(Opened::Sealed(done)),
        None => Ok(Opened::Fresh(repository)),
    }
}

/// The outcome of this job when its recovery point exists; none when it does not.
pub(super) async fn sealed_before(
    attempt: &Attempt,
    repository: &Repository,
    spec: &BackupSpec,
) -> Result<Option<Done>, JobFailure> {
    let point = match repository.point(spec.recovery_point_id).await {
        Ok(point) => point,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let header: Option<PointHeader> = serde_json::from_value(point.header().clone()).ok();
    match header.filter(|header| header.job_id == spec.job_id) {
        Some(header) => Ok(Some(outcome(attempt, &point, header))),
        None => Err(JobFailure::new(
            Code::Conflict,
            format!(
                "recovery point {} exists and was made by another job",
                spec.recovery_point_id
            ),
        )),
    }
}

/// What the status of a job with this recovery point says.
pub(super) fn outcome(attempt: &Attempt, point: &Point, header: PointHeader) -> Done {
    let before = attempt.progress.snapshot();
    attempt.progress.replace(Sums {
        total: Some(header.counts.total()),
        counts: header.counts,
        outside: header.outside,
        new_bytes: before.new_bytes.max(attempt.found.new_bytes),
        frozen_millis: attempt.found.frozen_millis,
    });
    Done {
        manifest_digest: Some(point.digest().to_owned()),
        report_attempt: Some(header.report_attempt),
        cut: Some(header.cut.to_string()),
        volumes: header.volumes,
        snapshot_window_millis: header.snapshot_window_millis,
        ..Done::default()
    }
}
