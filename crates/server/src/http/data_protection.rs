//! Provider `Microsoft.DataProtection`: vaults and all that lies in them.

mod backup_instances;
mod backup_jobs;
mod backup_policies;
mod backup_vaults;
mod instance_actions;
mod job_report;
mod operations;
mod recovery_points;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = backup_vaults::routes();
    routes.extend(backup_policies::routes());
    routes.extend(backup_instances::routes());
    routes.extend(recovery_points::routes());
    routes.extend(backup_jobs::routes());
    routes.extend(operations::routes());
    routes.extend(instance_actions::routes());
    routes.extend(job_report::routes());
    routes
}
