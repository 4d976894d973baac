//! Removes every volume snapshot of a recovery point, and its ledger.

use strongroom_core::Code;
use strongroom_kubernetes::crd::BackupSpec;

use super::{ledger, remove};
use crate::job::{Attempt, Done, JobFailure, Step};

/// How many of those that stay are named.
const NAMED: usize = 5;

/// Carries out one attempt at it.
///
/// # Errors
/// [`Code::VolumeSnapshotNotRemoved`] when some are left; asked again, it goes on with them.
pub async fn forget(attempt: &Attempt, spec: &BackupSpec) -> Result<Done, JobFailure> {
    let environment = &attempt.environment;
    let removing = async {
        let removed = remove::remove(environment, spec.recovery_point_id, None).await?;
        attempt
            .reach(Step::Forget, crate::crash::Moment::During)
            .await;
        if !removed.left.is_empty() {
            let named: Vec<&str> = removed.left.iter().map(|one| one.what.as_str()).collect();
            let message = format!(
                "{} of {} volume snapshots are still there after {} s, among them {}",
                removed.left.len(),
                removed.found,
                environment.snapshot_waits.gone.as_secs(),
                named
                    .iter()
                    .take(NAMED)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            return Err(JobFailure::new(Code::VolumeSnapshotNotRemoved, message));
        }
        ledger::delete(environment, spec.recovery_point_id).await?;
        Ok(removed.found)
    };
    let volumes = attempt.step(Step::Forget, removing).await?;
    Ok(Done {
        volumes,
        ..Done::default()
    })
}
