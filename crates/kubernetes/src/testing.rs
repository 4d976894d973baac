//! In-memory API server for tests.
