//! `strongroom job`.

use strongroom_api::job::JobResource;

use crate::output::{self, Columns};

super::verbs! {
    /// List the jobs of a vault
    List(list),
    /// Show a job
    Show(show),
    /// Wait until a job has ended; its end is the command's
    Wait(wait),
    /// End a job that runs or waits
    Cancel(cancel),
    /// Show what became of each object
    Report(report),
    /// Write the jobs of a vault to a file
    Export(export),
}

/// The columns of a job.
pub(crate) const COLUMNS: Columns<JobResource> = &[
    ("ID", |job| output::or_nothing(job.name.as_deref())),
    ("OPERATION", |job| job.properties.operation.clone()),
    ("INSTANCE", |job| {
        output::or_nothing(Some(&job.properties.backup_instance_friendly_name))
    }),
    ("STATUS", |job| job.properties.status.clone()),
    ("STARTED", |job| {
        output::instant(Some(job.properties.start_time))
    }),
    ("ENDED", |job| output::instant(job.properties.end_time)),
    ("COUNTS", |job| {
        let details = job
            .properties
            .extended_info
            .as_ref()
            .and_then(|info| info.additional_details.clone());
        let counts = details.unwrap_or_default();
        let text: Vec<String> = OUTCOMES
            .iter()
            .filter_map(|outcome| Some(format!("{outcome}={}", counts.get(*outcome)?)))
            .collect();
        output::or_nothing(Some(&text.join(" ")))
    }),
];

/// The outcomes that a job counts, in the order in which people read them.
const OUTCOMES: [&str; 6] = [
    "BackedUp",
    "Created",
    "Patched",
    "Unchanged",
    "Skipped",
    "Failed",
];
