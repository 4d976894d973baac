//! The contract of a repository, over stores that behave and stores that do not.

mod contract;
mod describe;
mod faults;
pub(crate) mod faulty;
pub(crate) mod fixtures;
mod golden;
mod history;
mod prune;
mod random_access;
mod resume;
mod round_trip;
mod side_by_side;
mod tamper;
