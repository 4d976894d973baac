//! Policies: what is valid, when backups are due, which tag they get.
