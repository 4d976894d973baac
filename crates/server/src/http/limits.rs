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

/// Largest page of a list that is read again to hide what its reader may not see: [`MAX_PAGE`] items of a
/// few KiB, the largest of which are backup instances.
pub(crate) const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// Largest request for a token: a client id, a secret and a scope are some hundred bytes.
pub(crate) const MAX_SIGN_IN_BYTES: usize = 16 * 1024;

/// Calls of nobody known that get an entry of their own in the audit log within [`UNKNOWN_CALLERS_WITHIN`]; the
/// rest is counted. Each entry is a write, and whoever reaches the port may call as often as they like; a
/// program whose token ended asks a few times a second at most.
pub(crate) const UNKNOWN_CALLERS_LISTED: u32 = 300;

/// See [`UNKNOWN_CALLERS_LISTED`].
pub(crate) const UNKNOWN_CALLERS_WITHIN: Duration = Duration::from_secs(60);
