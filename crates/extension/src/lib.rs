//! The in-cluster backup extension: it acts on the custom resources that the vault creates.
//!
//! Contract: crash-only. The process may be killed at any instant; a new one takes each job over from
//! its custom resource (attempt + 1) and from what it observes in the store and in the cluster, and
//! carries it to one truthful end. A recovery point is sealed at most once. Nothing is left behind
//! in the cluster but what a restore was asked to make, and no object of a user ever gets a label,
//! annotation or finalizer of ours. Memory is bounded by pages and batches ([`limits`]), never by
//! how much a cluster or a recovery point holds. Secrets arrive sealed and leave neither in logs
//! nor in a status.
//!
//! [`run::run`] is the process. A job goes: [`controller`] takes the custom resource, [`backup`] or
//! [`restore`] carries it out step by step, [`job`] keeps its status.

pub mod backup;
pub mod clock;
pub mod controller;
pub mod crash;
pub mod environment;
pub mod health;
pub mod hooks;
pub mod job;
pub mod key;
pub mod limits;
mod point;
pub mod publication;
mod reporting;
pub mod restore;
pub mod run;
mod secrets;
#[cfg(test)]
mod tests;
pub mod volumes;

pub use run::{ExtensionOptions, RunError, run};
