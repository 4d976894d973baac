//! Crash points: a test hook that ends the process, once, at a named point of a job's way.
//!
//! With `STRONGROOM_SERVER_CRASH_AT=<point>` in its environment the server exits with status 137,
//! as if it had been killed, the first time it reaches that point; that it did so is remembered in
//! the data directory, so the next start goes on. Without the variable nothing happens.

use std::path::{Path, PathBuf};

/// Every point there is, in the order in which a successful backup reaches them.
pub const POINTS: &[&str] = &[
    // The job is in the store; the client has not been answered.
    "job_recorded",
    // The job's turn has come.
    "job_admitted",
    // The store knows the name of its custom resource; the cluster does not have it yet.
    "resource_named",
    // Its custom resource is in the cluster; the store does not know that it is.
    "resource_created",
    // The extension has been seen to work on it.
    "work_observed",
    // The extension says that it is done; the store does not know it yet.
    "result_observed",
    // The manifest has been found to be what the extension claims; the store does not know it yet.
    "manifest_verified",
    // Recovery point and outcome are in the store; the custom resource is still there.
    "job_finished",
    // The custom resource is gone; the store does not know it yet.
    "resource_deleted",
    // A scheduled backup and the note of its moment are in the store; nobody has been told.
    "scheduled_backup_recorded",
    // The store says that a recovery point is being removed; nothing is removed yet.
    "point_marked",
    // None of its volume snapshots is left, nor what asked for their removal; its manifest is there.
    "snapshots_forgotten",
    // Its manifest is gone; the store still has its row.
    "point_removed",
    // Nothing is left of it but what the next prune takes.
    "point_forgotten",
    // An instance is deleted, or put aside; the client has not been answered.
    "instance_deleted",
    // A job is asked to end; the client has not been answered.
    "cancel_recorded",
    // The custom resource of a job that was asked to end is gone; the store does not know it yet.
    "cancelled_resource_deleted",
];

/// The status of a process that was killed (128 + SIGKILL).
const KILLED: i32 = 137;

/// The point at which this process ends, if any.
#[derive(Debug, Clone, Default)]
pub struct CrashPoint {
    wanted: Option<(String, PathBuf)>,
}

impl CrashPoint {
    /// Reads the environment. The memory of past crashes is in `data_dir`.
    #[must_use]
    pub fn from_environment(data_dir: &Path) -> Self {
        let wanted = std::env::var("STRONGROOM_SERVER_CRASH_AT")
            .ok()
            .filter(|p| !p.is_empty());
        Self {
            wanted: wanted.map(|point| {
                let memory = data_dir.join(format!("crashed-at-{}", point.replace('/', "-")));
                (point, memory)
            }),
        }
    }

    /// Ends the process if this is the point and it did not end here before.
    pub fn reach(&self, point: &str) {
        debug_assert!(
            POINTS.contains(&point),
            "{point} is not in the list of crash points"
        );
        if let Some((wanted, memory)) = &self.wanted
            && wanted == point
            && !memory.exists()
            && std::fs::write(memory, point).is_ok()
        {
            tracing::warn!(
                point,
                "ending the process at the crash point that the environment names"
            );
            std::process::exit(KILLED);
        }
    }
}
