//! The addresses inside a node. Each node has a network namespace of its own, so that all clusters
//! have the same ones.

/// The name of the one node.
pub(crate) const NODE_NAME: &str = "node1";
/// The node's address: what pods reach the node by.
pub(crate) const NODE_ADDRESS: &str = "10.99.0.1";
/// The pods' addresses.
pub(crate) const POD_NETWORK: &str = "10.88.0.0/16";
/// The services' addresses.
pub(crate) const SERVICE_NETWORK: &str = "10.96.0.0/16";
/// The address of the service `kubernetes.default`: the first of the services' addresses.
pub(crate) const API_SERVICE_ADDRESS: &str = "10.96.0.1";
/// The API server's port inside the node.
pub(crate) const API_PORT: u16 = 6443;
