//! The data of volumes in a backup: a CSI snapshot for each claim that can have one, and the ledger that
//! nothing of it is lost or left behind.
//!
//! Contract: what is asked of the cluster is named in the ledger first ([`ledger`]), under names that
//! follow from recovery point and claim, so that every attempt finds what the one before it made. Volumes
//! that can share one instant do ([`gather`]). A
//! snapshot that the recovery point keeps stands by itself ([`take`]); one that could not be made is
//! removed, and its claim's line says why. Trouble with one volume never fails a job. What nobody needs
//! any more is removed by [`reconcile`], and on request by [`forget`].

mod claims;
mod classes;
mod forget;
mod gather;
mod group_wish;
mod ledger;
mod reconcile;
mod remove;
mod seen;
mod take;
mod told;
mod waits;
mod weigh;
mod wish;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_kubernetes::snapshots::Owner;
use strongroom_repository::{PointWriter, Repository};

pub(crate) use self::claims::{Claims, Held};
pub use self::forget::forget;
use self::ledger::{Ledger, State};
pub use self::reconcile::{Reconciled, Reconciler, reconcile};
use self::take::Taken;
pub(crate) use self::told::foretold;
use self::told::{told, told_of_groups};
pub use self::waits::Waits;
pub(crate) use self::weigh::{Weighed, weigh};
use crate::hooks::Gate;
use crate::job::{Attempt, JobFailure};
use crate::point::volumes::{GROUP, header};
use crate::reporting::Report;

/// What a backup did for its volumes.
#[derive(Debug, Default)]
pub(crate) struct Protected {
    /// Snapshots that the recovery point keeps.
    pub(crate) snapshots: u32,
    /// Groups of them that share one instant each.
    pub(crate) groups: u32,
    /// From the first request to the last cut.
    pub(crate) window: Option<Duration>,
    /// The ledger; none when no snapshot was asked for.
    ledger: Option<Ledger>,
}

impl Protected {
    /// Milliseconds of the window.
    pub(crate) fn window_millis(&self) -> Option<u64> {
        let window = self.window?;
        Some(u64::try_from(window.as_millis()).unwrap_or(u64::MAX))
    }

    /// Writes down that the recovery point is about to exist: from now on nobody may remove its snapshots
    /// who has not looked for it.
    pub(crate) async fn about_to_seal(&mut self, attempt: &Attempt) -> Result<(), JobFailure> {
        self.enter(attempt, State::Sealing).await
    }

    /// Writes down that it exists. What is not written here is found out by the next reconciliation.
    pub(crate) async fn sealed(&mut self, attempt: &Attempt) {
        if let Err(error) = self.enter(attempt, State::Kept).await {
            tracing::warn!(job.id = %attempt.job, %error, "the ledger does not say yet that its point exists");
        }
    }

    /// After a seal that failed for good: when the recovery point is known not to exist, its snapshots may
    /// be removed.
    pub(crate) async fn not_sealed(
        &mut self,
        attempt: &Attempt,
        repository: &Repository,
        failure: &JobFailure,
    ) {
        let Some(ledger) = &self.ledger else { return };
        if !matches!(failure, JobFailure::Final(_)) {
            return;
        }
        let looked = repository.point(ledger.recovery_point).await;
        if looked.is_err_and(|error| error.is_not_found()) {
            let _ = self.enter(attempt, State::Taking).await;
        }
    }

    async fn enter(&mut self, attempt: &Attempt, state: State) -> Result<(), JobFailure> {
        let Some(ledger) = &mut self.ledger else {
            return Ok(());
        };
        ledger.state = state;
        Ok(ledger.write(&attempt.environment).await?)
    }
}

/// Takes the snapshots of the claims that were collected, puts the records of all of them into the recovery
/// point and their lines into the report.
pub(crate) async fn protect(
    attempt: &Attempt,
    spec: &BackupSpec,
    repository: &Repository,
    served: bool,
    claims: Claims,
    gate: &Gate,
    into: (&mut PointWriter, &mut Report<'_>),
) -> Result<Protected, JobFailure> {
    if claims.is_empty() && attempt.number == 1 {
        return Ok(Protected::default());
    }
    let owner = Owner {
        extension: attempt.environment.namespace.clone(),
        recovery_point: spec.recovery_point_id,
        job: spec.job_id,
        backup_instance: spec.backup_instance_id.clone(),
    };
    let settling = async {
        if served {
            reconcile::settle_doubts(&attempt.environment, repository, &owner).await;
        }
    };
    // Futures of this size do not belong on a stack, one in the other.
    let weighing = Box::pin(weigh(attempt, spec, served, claims));
    let ((), weighing) = tokio::join!(Box::pin(settling), weighing);
    let (weighed, classes) = weighing?;
    let offered = (classes.as_slice(), spec.snapshot_classes.as_slice());
    let Taken {
        outcomes,
        window,
        ledger,
        groups,
        singly,
    } = Box::pin(take::take(attempt, &owner, &weighed, offered, gate)).await?;
    let (writer, report) = into;
    for line in told_of_groups(&weighed, &outcomes, &groups, &singly) {
        report.add(line).await?;
    }
    let (mut snapshots, mut kept_groups) = (0, BTreeSet::new());
    if !weighed.is_empty() {
        writer.start_run(GROUP, json!(header())).await?;
    }
    for (one, outcome) in weighed.iter().zip(outcomes) {
        let (record, line) = told(one, outcome);
        if let Some(snapshot) = &record.snapshot {
            snapshots += 1;
            kept_groups.extend(snapshot.group.as_ref().map(|group| group.name.clone()));
        }
        let body = serde_json::to_vec(&record).map(Bytes::from);
        let body = body.map_err(|error| {
            JobFailure::new(
                strongroom_core::Code::InternalServerError,
                error.to_string(),
            )
        })?;
        writer
            .put(record.entry_name(), Bytes::from_static(b"{}"), body)
            .await?;
        report.add(line).await?;
    }
    if !weighed.is_empty() {
        writer.finish_run().await?;
    }
    Ok(Protected {
        snapshots,
        groups: u32::try_from(kept_groups.len()).unwrap_or(u32::MAX),
        window,
        ledger,
    })
}
