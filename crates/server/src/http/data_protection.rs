//! Provider `Microsoft.DataProtection`: vaults and all that lies in them.

mod backup_instances;
mod backup_jobs;
mod backup_policies;
mod backup_vaults;
mod deleted_instances;
mod deleted_vaults;
mod export_jobs;
mod instance_actions;
mod job_report;
mod locations;
mod of_resource;
mod operations;
mod provider_operations;
mod recovery_points;
mod resource_guard_proxies;
mod resource_guards;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = backup_vaults::routes();
    routes.extend(backup_policies::routes());
    routes.extend(backup_instances::routes());
    routes.extend(recovery_points::routes());
    routes.extend(resource_guards::routes());
    routes.extend(resource_guard_proxies::routes());
    routes.extend(backup_jobs::routes());
    routes.extend(operations::routes());
    routes.extend(instance_actions::routes());
    routes.extend(deleted_instances::routes());
    routes.extend(deleted_vaults::routes());
    routes.extend(job_report::routes());
    routes.extend(export_jobs::routes());
    routes.extend(locations::routes());
    routes.extend(of_resource::routes());
    routes.extend(provider_operations::routes());
    routes
}
