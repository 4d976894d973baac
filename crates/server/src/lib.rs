//! The control plane: the only owner of vaults, policies, instances, recovery points and jobs.
//!
//! Contract: [`run`] serves the public contract (`http`) over TLS until told to stop. Use cases are in
//! `app`, which alone writes to the `store`; `worker` drives what goes on by itself; `cluster_link`
//! is the only way to a cluster, `data_plane` the only way to embedded storage. Killing the process
//! at any moment loses nothing that was acknowledged: everything goes on from the store.

#![expect(
    clippy::duplicate_mod,
    reason = "the statements of the store are compiled once for each database, see store/sql/session.rs"
)]

pub mod app;
pub mod catalogue_copy;
pub mod catalogue_rebuild;
pub mod cluster_link;
pub mod config;
mod connections;
pub mod data_dir;
pub mod data_plane;
pub mod environment;
pub mod http;
pub mod identity_provider;
pub mod metrics;
mod run;
pub mod secrets;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod worker;

pub use catalogue_copy::command::{Place, backup_catalogue, restore_catalogue};
pub use catalogue_rebuild::{Rebuilt, rebuild_catalogue};
pub use config::{Config, ConfigError, ServerOptions};
pub use run::{RunError, check_config, run};
