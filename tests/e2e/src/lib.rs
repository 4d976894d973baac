//! The stage of the end-to-end tests and of `cargo xtask demo`: a real cluster, a real server
//! process, the command line as a user runs it, and the sample application.
//!
//! Everything here drives Strongroom from outside, through its binary. Nothing links its crates
//! but the comparison of objects (`strongroom_core::equality`), which is the yardstick.

pub mod azurite;
pub mod bad_line;
pub mod cli;
pub mod cut;
pub mod identity_provider;
pub mod kubectl;
pub mod load;
pub mod postgres;
pub mod process;
pub mod relay;
pub mod s3;
pub mod sample;
pub mod server;
pub mod stage;
pub mod state;
pub mod traps;
