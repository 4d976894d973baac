//! Limits of copies of a catalogue, each with its why.

use jiff::SignedDuration;

/// Longest record that is read. The longest row is a document of some megabytes; without a limit a file that
/// is no copy would be read into memory as one line.
pub const RECORD_MAX: u64 = 64 << 20;

/// How hard a copy is compressed: what zstd does by default. Documents shrink to a tenth, and reading the
/// database takes longer than this.
pub const LEVEL: i32 = 3;

/// For how long, of the server's running, nothing expires and nothing that was deleted is purged after an
/// older copy was restored, or a catalogue rebuilt. Policies, protection states and deletions are then as they
/// were, and what would go by them may have been given a longer time since. A week lets somebody look who was
/// on holiday when the server was lost, and costs room for a week.
pub const RETENTION_HELD: SignedDuration = SignedDuration::from_hours(7 * 24);
