//! Goes on with long-running operations that a server left open which is gone.
//!
//! Contract: a server carries out what it accepted. When it starts again it goes on with that; when it does
//! not, the one that does the work takes it over. Carried out twice is no harm: an operation ends once.

use std::sync::Arc;

use super::limits::OPERATIONS_TAKEN_UP;
use crate::app::operations::OperationKind;
use crate::app::{App, Result, extension, instances, preview, validation, verification};
use crate::store::OperationRow;

/// Takes up every open operation of which `is_left` holds.
pub(super) async fn take_up_operations(
    app: &Arc<App>,
    is_left: impl Fn(&OperationRow) -> bool,
) -> Result<()> {
    let mut session = app.store.read().await?;
    let open = session.open_operations(OPERATIONS_TAKEN_UP).await?;
    drop(session);
    for operation in open {
        if is_left(&operation) && has_no_job(&operation) {
            let mut session = app.store.begin().await?;
            let is_open = session
                .adopt_operation(&operation.id, app.server_id)
                .await?;
            session.commit().await?;
            if is_open {
                go_on(app, operation);
            }
        }
    }
    Ok(())
}

/// Operations that a job belongs to are carried out with the job.
fn has_no_job(operation: &OperationRow) -> bool {
    operation.job_id.is_none()
}

fn go_on(app: &Arc<App>, operation: OperationRow) {
    use OperationKind as Kind;
    let app = Arc::clone(app);
    match OperationKind::parse(&operation.kind) {
        Some(Kind::Validate) => drop(tokio::spawn(validation::settle(app, operation))),
        Some(Kind::ConfigureBackup) => drop(tokio::spawn(instances::configure(app, operation))),
        Some(Kind::Verify) => drop(tokio::spawn(verification::settle(app, operation))),
        Some(Kind::Preview) => drop(tokio::spawn(preview::settle(app, operation))),
        Some(Kind::Extension) => drop(tokio::spawn(extension::settle(app, operation))),
        // They end in the transaction that begins them, or with their job.
        Some(Kind::ChangeProtection | Kind::StartJob | Kind::TrustedAccess | Kind::ExportJobs)
        | None => {}
    }
}
