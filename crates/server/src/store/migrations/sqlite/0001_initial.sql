-- The first schema. Forward only: a later change is a new file, never an edit of this one.
--
-- Times are microseconds since 1970-01-01T00:00:00Z. Keys are lower-cased resource ids, because
-- Azure Resource Manager compares ids without regard to case; `id` keeps the published spelling.

-- Facts about this data directory that are not resources (for example the digest of the token).
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Every resource of the public contract that has no table of its own.
CREATE TABLE resources (
    key        TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    etag       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
-- A list is a range of keys within one kind, whatever the scope: subscription, group or parent.
CREATE UNIQUE INDEX resources_by_kind ON resources (kind, key);

-- Who needs whom: what refuses a delete while it is in use.
CREATE TABLE uses (
    user_key   TEXT NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    role       TEXT NOT NULL,
    target_key TEXT NOT NULL REFERENCES resources (key),
    PRIMARY KEY (user_key, role)
) STRICT;
CREATE INDEX uses_by_target ON uses (target_key, user_key);

-- Secrets at rest: sealed with the master key, bound to (key, purpose).
CREATE TABLE secrets (
    key        TEXT NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (key, purpose)
) STRICT;

-- Jobs outlive their instance, so their keys are no foreign keys.
CREATE TABLE jobs (
    id            TEXT    NOT NULL PRIMARY KEY,
    vault_key     TEXT    NOT NULL,
    instance_key  TEXT    NOT NULL,
    cluster_key   TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    step          TEXT    NOT NULL,
    progress      TEXT    NOT NULL,
    resource_name TEXT,
    request       TEXT    NOT NULL,
    result        TEXT    NOT NULL,
    error         TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER,
    next_poll_at  INTEGER,
    generation    INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_vault ON jobs (vault_key, created_at DESC, id DESC);
CREATE INDEX jobs_by_instance ON jobs (instance_key, created_at DESC, id DESC);
-- The worker's question: what is due? Finished jobs have no next_poll_at and cost nothing here.
CREATE INDEX jobs_due ON jobs (next_poll_at) WHERE next_poll_at IS NOT NULL;
-- The question before a start or a delete: is something running on this instance or cluster?
CREATE INDEX jobs_open_by_instance ON jobs (instance_key) WHERE ended_at IS NULL;
CREATE INDEX jobs_open_by_cluster ON jobs (cluster_key) WHERE ended_at IS NULL;

CREATE TABLE recovery_points (
    id           TEXT    NOT NULL PRIMARY KEY,
    instance_key TEXT    NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    vault_key    TEXT    NOT NULL,
    job_id       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    body         TEXT    NOT NULL
) STRICT;
CREATE INDEX recovery_points_by_instance ON recovery_points (instance_key, created_at DESC, id DESC);
CREATE INDEX recovery_points_by_expiry ON recovery_points (expires_at) WHERE expires_at IS NOT NULL;

-- Long-running operations, as clients poll them.
CREATE TABLE operations (
    id          TEXT    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    scope_key   TEXT    NOT NULL,
    resource_id TEXT    NOT NULL,
    location    TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    job_id      TEXT,
    result      TEXT    NOT NULL,
    error       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;
CREATE INDEX operations_open ON operations (created_at) WHERE ended_at IS NULL;
CREATE INDEX operations_by_job ON operations (job_id) WHERE job_id IS NOT NULL;
