//! What a request may cost before anything is understood of it.

use std::time::Duration;

/// Largest body: the published management API refuses more than a few MiB; our largest document, a
/// kubeconfig with certificates, stays under 100 KiB.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Deepest nesting of a JSON body: the deepest model of the contract (a policy) has 12 levels.
pub(crate) const MAX_JSON_DEPTH: usize = 64;

/// Longest address: ids are bounded by their names; the rest is a skip token.
pub(crate) const MAX_URI_BYTES: usize = 8 * 1024;

/// Items on a page when the caller does not say.
pub(crate) const DEFAULT_PAGE: usize = 100;

/// Most items on a page, whatever the caller says: keeps an answer below a MiB.
pub(crate) const MAX_PAGE: usize = 1000;

/// Seconds between two polls of an operation; operations here take a second or two, and clients
/// wait 10 to 30 s when they are not told.
pub(crate) const POLL_SECONDS: u64 = 1;

/// How long requests in progress may still take when the server stops.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
