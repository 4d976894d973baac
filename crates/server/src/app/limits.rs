//! What use cases keep at most.

use std::time::Duration;

/// Verifications that run at the same time. Each reads as fast as the store and one core allow; more
/// would only take turns, and requests need the other core.
pub const VERIFICATIONS_AT_ONCE: usize = 1;

/// How often a verification looks whether its recovery point is still there.
pub const POINT_LOOK_EVERY: Duration = Duration::from_secs(2);

/// Problems that the result of a verification lists; the rest is counted. Whoever reads a hundred knows
/// that the point is lost.
pub const PROBLEMS_LISTED: usize = 100;

/// Problems that the recovery point itself tells of, which is read with every list.
pub const PROBLEMS_ON_POINT: usize = 3;

/// The first pause before the end of an operation is written again that the store did not take; it
/// doubles up to [`LONGEST_WRITE_PAUSE`].
pub const FIRST_WRITE_PAUSE: Duration = Duration::from_millis(250);

/// See [`FIRST_WRITE_PAUSE`]. A full disk is mended by people, who should see the effect soon.
pub const LONGEST_WRITE_PAUSE: Duration = Duration::from_secs(30);

/// How long an answer about whether the server can work is good for. The question needs no token and
/// costs a write, so it is not asked more often than this, however often it comes.
pub const READINESS_AGE: Duration = Duration::from_secs(5);

/// Former administrator's tokens that are remembered as expired. Whoever rotates daily is told for
/// two months that a script has an old token; after that it is an unknown one. It bounds the row in
/// the store and the comparisons of each request.
pub const MAX_FORMER_TOKENS: usize = 64;

/// Previews that run at the same time. Each is one small request a few times a second, and the extension
/// takes them one by one.
pub const PREVIEWS_AT_ONCE: usize = 32;

/// How often a preview is looked at: whoever waits for it sits before a screen, and most take a second.
pub const PREVIEW_LOOK_EVERY: Duration = Duration::from_millis(250);

/// After how long without a sign of life a preview is given up: longer than an extension's pod needs to
/// start again, shorter than a person waits.
pub const PREVIEW_SILENCE: Duration = Duration::from_secs(2 * 60);

/// How long a preview may take in all. It reads what a backup reads: 100,000 objects in about a minute.
pub const PREVIEW_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// How often a preview's custom resource is removed before that is left to the worker.
pub const PREVIEW_REMOVALS: u32 = 20;
