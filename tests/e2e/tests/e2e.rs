//! The end-to-end tests: each scenario on a real cluster, through the command line or the official SDK.
//!
//! `cargo xtask test` brings clusters up, sets the environment, and gives each scenario a cluster that no other
//! one uses meanwhile. A scenario leaves its cluster as it found it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a scenario that meets the unexpected fails where it stands, and tells what it saw"
)]

mod scenarios {
    mod azure_blob;
    mod bad_input;
    mod catalogue_trouble;
    mod databases;
    mod extension_killed;
    mod hooks;
    mod identity_provider;
    mod keys;
    mod lost_cluster;
    mod main_job;
    mod missing_rights;
    mod mounted_over;
    mod postgresql;
    mod preview;
    mod protection;
    mod python_sdk;
    mod random_kills;
    mod s3;
    mod schedules;
    mod server_killed;
    mod server_recovery;
    mod service_principals;
    pub(crate) mod stage_of_tests;
    mod storage_trouble;
    mod terraform_client;
    mod traps;
    mod two_servers;
    mod two_vaults;
    mod verify;
    mod volume_groups;
    mod volumes;
}
