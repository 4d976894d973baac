//! The domain of Strongroom: its nouns and its decisions, and nothing that acts.
//!
//! Contract: no async, clock, randomness, file, network, Kubernetes client or HTTP in here. Time and
//! identifiers come in as arguments; a function either returns a value with the rule that decided it,
//! or says why its input is invalid. Every other crate depends on this one, this one on none of them.

pub mod audit;
pub mod authorization;
pub mod capability;
pub mod equality;
pub mod error;
pub mod finding;
pub mod guard;
pub mod hooks;
pub mod id;
pub mod immutability;
pub mod job;
pub mod lease;
pub mod limits;
pub mod name;
pub mod object;
pub mod pointer;
pub mod policy;
pub mod protection;
pub mod report;
pub mod restore;
pub mod selection;
pub mod tags;
pub mod volumes;

pub use error::{Class, Code, Problem};
pub use object::{ObjectFacts, ObjectRef, Owner, ResourceType};
