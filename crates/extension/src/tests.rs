//! Reconciler scenarios on an in-memory API server and an in-memory store.
