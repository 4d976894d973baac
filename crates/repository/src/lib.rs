//! Recovery points on any object store: written once, encrypted, deduplicated, verifiable.
//!
//! A repository lives below a prefix of a store and belongs to one backup instance. It holds
//! **recovery points**, each made of **runs** (for us one run a resource type), each made of
//! **entries** in ascending order of names: a name, a little metadata and a body. The crate knows
//! nothing of Kubernetes, vaults or jobs. The format is specified, with test vectors, in
//! `docs/format.md`; the invariants that hold at every moment:
//!
//! * A recovery point exists exactly when its manifest exists. The manifest is the last write and is
//!   created conditionally. A crash before it leaves only packs that nothing refers to.
//! * Objects are written once and never changed.
//! * What is read is authenticated, then capped, then decompressed, then parsed. Ids are keyed
//!   hashes, and the manifest commits to everything, so that whatever a store changes, drops, swaps
//!   or cuts is an [`Error::Corrupt`], never wrong data.
//! * Memory depends neither on the number of objects nor on the size of the repository.
//! * What a finished pack of an earlier attempt at the same point holds is not sent again.
//!
//! Writing: [`Repository::open_or_create`] → [`Repository::begin`] → for each group in order
//! [`PointWriter::start_run`], [`PointWriter::put`] …, [`PointWriter::finish_run`] →
//! [`PointWriter::seal`]. Reading: [`Repository::point`] → [`Point::entries`] → [`Point::read`].

mod catalogue;
mod compression;
mod crypto;
mod describe;
mod entropy;
mod error;
mod id;
mod leaf;
pub mod limits;
mod manifest;
mod objects;
mod pack;
mod prune;
mod read;
mod report;
mod repository;
pub mod store;
mod verify;
mod write;

pub use crypto::RepositoryKey;
pub use describe::Descriptions;
pub use entropy::{Entropy, SystemEntropy};
pub use error::{Error, Result};
pub use id::{ContentId, Location, PackId, Place};
pub use leaf::Entry;
pub use manifest::RunInfo;
pub use objects::FORMAT_VERSION;
pub use prune::{PruneReport, Settled};
pub use read::Point;
pub use report::{ReportPage, ReportSummary, ReportWriter};
pub use repository::Repository;
pub use store::{AzureBlobConfig, Backend, GcsConfig, S3Config, Secret, StoreConfig, classify};
pub use verify::{Damage, VerifyReport};
pub use write::{PointWriter, Sealed, Stats, WriterOptions};

#[cfg(test)]
mod tests;
