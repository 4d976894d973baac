//! Development only: what a test needs to run the extension without a cluster or a network store.
//!
//! [`api_server`] is an in-memory Kubernetes API server that speaks real HTTP on a loopback port,
//! so the code under test uses its real client. [`object_store`] wraps any object store and
//! injects failures and stops. Nothing here is part of the product.

pub mod api_server;
pub mod object_store;
