//! The public contract of Strongroom as Rust types, and a typed client for it.
//!
//! The contract is the Azure Resource Manager REST API of `Microsoft.DataProtection` for the
//! Kubernetes datasource, with as much of the surrounding providers as a protected cluster needs.
//! Names, nesting and polymorphism follow the published package `azure-mgmt-dataprotection` 2.2
//! (api-version 2026-06-01); what Strongroom adds is marked *ours* in each doc comment and is always
//! an extra field or an extra route, never a changed one.
//!
//! Rules that hold for every type here:
//! * fields that a client does not know, or that we do not know, are ignored when read;
//! * `null` reads as absent; absent fields are not written;
//! * `objectType` selects the type, case-sensitively; one that is not accepted is an error that
//!   names those that are (see [`decode::decode`]);
//! * instants are RFC 3339 ([`jiff::Timestamp`]), durations are ISO 8601 strings.
//!
//! These are wire types: they say how a thing is written, not whether it makes sense. Validated
//! meaning lives in `strongroom-core`.

pub mod administration;
pub mod arm;
pub mod audit;
pub mod authorization;
pub mod client;
pub mod cluster;
pub mod decode;
pub mod error;
pub mod extension;
pub mod guard;
pub mod identity;
pub mod instance;
pub mod job;
pub mod list;
pub mod missing_roles;
pub mod object_type;
pub mod operation;
pub mod policy;
pub mod policy_preview;
pub mod policy_template;
pub mod preview;
pub mod recovery_point;
pub mod resource_group;
pub mod restore;
pub mod secret;
pub mod service_principal;
pub mod storage;
pub mod subscription;
pub mod support;
pub mod trusted_access;
pub mod vault;
pub mod version;

#[cfg(test)]
mod tests;
