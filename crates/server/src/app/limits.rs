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

/// Types that a recovery point's row names with the versions in which the cluster served them. The
/// largest clusters serve some hundreds; the bound keeps a manifest that claims otherwise from making
/// every list of recovery points slow. The manifest itself holds all.
pub const SERVED_TYPES_TOLD: usize = 2_000;

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

/// Servers that share a catalogue. Two are enough to outlive one; the bound keeps the row of each that was
/// started once by mistake from making every look at them slow.
pub const MOST_SERVERS: usize = 64;

/// How long an extension may take to be asked how it is, when its resource is read. Whoever reads it waits
/// for this at most; what was seen last is there at once.
pub const EXTENSION_PATIENCE: Duration = Duration::from_secs(5);

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

/// How long a link to exported jobs can be read: long enough for somebody who is told of it the next day,
/// short enough that one in an old mail opens nothing.
pub const EXPORT_LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Recovery points that a simulation of a policy makes at most: two years of hourly backups. All are in one
/// answer.
pub const SIMULATED_POINTS: usize = 20_000;

/// Recovery points that the preview of an edit looks at: a hundred for each of 2,000 instances. Whoever waits
/// for the answer sits before a screen.
pub const EDIT_POINTS_LOOKED_AT: u64 = 200_000;

/// Instances at which retention looks before it decides, and whose looks it notes in one transaction: a few
/// milliseconds of the one writer, and some 100 KiB of memory.
pub const RETENTION_LOOKS_AT_ONCE: usize = 100;

/// Changes that the preview of an edit names; the rest is counted. Nobody reads more.
pub const EDIT_CHANGES_LISTED: usize = 1_000;

/// Instances of a policy that the preview of an edit looks at: as many as a server is built for.
pub const POLICY_USERS: usize = 10_000;

/// Role assignments that a server keeps. Azure's limit is 4,000 of a subscription; all of them are read when
/// they are listed, at about 400 bytes each.
/// Source: <https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits>
pub const ROLE_ASSIGNMENTS_MAX: usize = 4_000;

/// Longest description of a role assignment, in characters: a sentence or two, and short enough for a list.
pub const DESCRIPTION_CHARS: usize = 1_024;

/// How long an access token is good for: as Entra's. It cannot be taken back, so that it bounds for how long
/// a secret that was replaced still opens anything.
/// Source: <https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// By how much the clocks of who issues a token and who reads it may differ: the five minutes that Kerberos
/// made the custom, and that Entra's own libraries allow.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Service principals of a server: one for each pipeline and program. All of them are read when they are
/// listed.
pub const SERVICE_PRINCIPALS_MAX: usize = 1_000;

/// Client secrets of a service principal: the one that is used, the one that comes next, and room for
/// programs that change theirs at different times. Each is compared at each sign-in.
pub const CLIENT_SECRETS_MAX: usize = 10;

/// How long a client secret is good for when nobody says. Entra's own default is half a year.
/// Source: <https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials>
pub const CLIENT_SECRET_LIFETIME_DAYS: i64 = 180;

/// The longest that can be asked for: two years, as in Entra.
pub const CLIENT_SECRET_LONGEST_DAYS: i64 = 730;

/// Longest display name of a service principal, as in Entra.
pub const DISPLAY_NAME_CHARS: usize = 120;

/// How long the keys of an identity provider are good for without asking again. A key that a provider takes
/// back because it was stolen is believed for as long; Kubernetes' API server asks every few minutes too, and
/// it is two small documents.
pub const KEYS_FRESH: Duration = Duration::from_secs(10 * 60);

/// How long a provider is not asked again for a key that it did not have: anybody may present tokens that
/// name one. A provider that signs with a new key at once lets people in this much later.
pub const KEYS_PAUSE: Duration = Duration::from_secs(10);

/// How long a provider that does not answer is believed by its last keys: tokens live for an hour, so that
/// nobody needs them for longer, and a short outage of the provider locks nobody out.
pub const KEYS_STALE: Duration = Duration::from_secs(2 * 60 * 60);

/// How long one document of an identity provider may take. Whoever signs in waits for it.
pub const IDENTITY_PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest document of an identity provider. Entra's and Google's are below 20 KiB, with certificates in them.
pub const KEYS_BYTES_MAX: usize = 256 * 1024;

/// Keys of a provider that are looked at. Two or three are usual: the last one, this one, the next.
pub const KEYS_MAX: usize = 50;

/// Groups of one person. A token with more does not fit into a request's head; Entra puts 200 into a token.
/// Source: <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
pub const GROUPS_OF_A_PERSON_MAX: usize = 1_000;

/// Groups whose role assignments are looked up one by one at a request. For more all assignments are read,
/// which are [`ROLE_ASSIGNMENTS_MAX`] at most: one look of a millisecond or two.
pub const GROUPS_LOOKED_UP_ALONE: usize = 16;

/// Longest subject (`sub`) of a token.
/// Source: <https://openid.net/specs/openid-connect-core-1_0.html#IDToken>
pub const SUBJECT_BYTES_MAX: usize = 255;

/// How long entries of the audit log are kept: a year and a month, so that a yearly review finds the whole
/// year. An entry is about 700 bytes: a server with a call that writes every ten seconds keeps 2.5 GB.
/// What is to be kept for longer is exported or handed on.
pub const AUDIT_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Entries of the audit log that are forgotten in one transaction, which holds the writer for some
/// milliseconds.
pub const AUDIT_FORGOTTEN_AT_ONCE: usize = 1_000;

/// For how long a delete that was unlocked with a resource guard's approval may be carried out: time to send
/// it, and not to forget it.
pub const UNLOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Deletes of a vault that are unlocked at the same time; each is kept in the row that links it to its guard.
pub const UNLOCKS_MAX: usize = 100;

/// Failed sign-ins of one address that are looked at in a burst: somebody tries several secrets by hand, or a
/// few programs behind one address start with an old one.
pub const ADDRESS_FAILURES: u32 = 10;

/// How long a failed sign-in of an address counts: ten a minute, one after the other. Secrets are 256 random
/// bits, so that no rate makes guessing them sensible; this keeps guesses from being a load and from filling
/// the audit log.
pub const ADDRESS_FAILURE_EVERY: Duration = Duration::from_secs(6);

/// Failed sign-ins of one client, from wherever, after which addresses that failed lately wait for it.
pub const CLIENT_FAILURES: u32 = 30;

/// How long a failed sign-in of a client counts: twenty a minute.
pub const CLIENT_FAILURE_EVERY: Duration = Duration::from_secs(3);

/// Addresses whose failed sign-ins are remembered: about a MiB.
pub const FAILED_ADDRESSES_KEPT: usize = 10_000;
