//! Backup instances.

/// Published type of a backup instance.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupInstances";
