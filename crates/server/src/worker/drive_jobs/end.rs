//! The end of a job that worked in a cluster: what its findings are is read before the one transaction
//! in which it ends, so that whoever sees the end sees them too.

use strongroom_core::error::Problem;

use crate::app::jobs::{self, Outcome, Progress};
use crate::app::report::warnings;
use crate::app::{App, Result};
use crate::store::{JobRow, RecoveryPointRow};
use crate::worker::limits::REPORT_PATIENCE;

/// Ends a job as done.
pub(super) async fn complete(
    app: &App,
    row: JobRow,
    outcome: &Outcome,
    point: Option<RecoveryPointRow>,
) -> Result<()> {
    let row = with_findings(app, row).await?;
    jobs::complete(app, row, outcome, point).await.map(|_| ())
}

/// Ends a job as failed.
pub(super) async fn fail(app: &App, row: JobRow, problem: &Problem) -> Result<()> {
    let row = with_findings(app, row).await?;
    jobs::fail(app, row, problem).await.map(|_| ())
}

async fn with_findings(app: &App, mut row: JobRow) -> Result<JobRow> {
    let mut progress = Progress::of(&row)?;
    progress.warnings = warnings::of_report(app, &row, REPORT_PATIENCE).await?;
    row.progress = progress.to_column()?;
    Ok(row)
}
