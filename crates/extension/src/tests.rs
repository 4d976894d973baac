//! Reconciler scenarios on an in-memory API server and an in-memory store.
//!
//! A *process* here is what `run` starts, without signals: dropping it is SIGKILL. Every scenario
//! goes through custom resources, as the vault does.

mod aggregated;
mod application;
mod backup;
mod bad_input;
mod kills;
mod owners;
mod probe;
mod process;
mod restore;
mod restore_trouble;
mod selection;
mod stage;
