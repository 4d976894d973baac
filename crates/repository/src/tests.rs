//! The contract of a repository, over stores that behave and stores that do not.

mod faults;
mod faulty;
mod fixtures;
mod resume;
mod round_trip;
