//! The contract of a repository, over stores that behave and stores that do not.

mod fixtures;
mod round_trip;
