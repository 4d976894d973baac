-- The schema that SQLite has after its fifth migration; from here on both get each change. Forward only:
-- a later change is a new file, never an edit of this one.
--
-- Times are microseconds since 1970-01-01T00:00:00Z. Keys are lower-cased resource ids, because Azure
-- Resource Manager compares ids without regard to case; `id` keeps the published spelling. What is
-- compared or ordered is so by its bytes (`COLLATE "C"`), as SQLite does it and pages rely on.

-- Facts about this server that are not resources.
CREATE TABLE settings (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT             NOT NULL
);

-- Every resource of the public contract that has no table of its own.
CREATE TABLE resources (
    key        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    id         TEXT             NOT NULL,
    name       TEXT             NOT NULL,
    body       TEXT             NOT NULL,
    etag       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    updated_at BIGINT           NOT NULL,
    deleted_at BIGINT,
    created_by TEXT             NOT NULL DEFAULT 'null',
    updated_by TEXT             NOT NULL DEFAULT 'null'
);
-- A list is a range of keys within one kind, whatever the scope: subscription, group or parent.
CREATE UNIQUE INDEX resources_by_kind ON resources (kind, key);
CREATE INDEX resources_deleted ON resources (kind, key) WHERE deleted_at IS NOT NULL;

-- Who needs whom: what refuses a delete while it is in use.
CREATE TABLE uses (
    user_key   TEXT COLLATE "C" NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    role       TEXT COLLATE "C" NOT NULL,
    target_key TEXT COLLATE "C" NOT NULL REFERENCES resources (key),
    PRIMARY KEY (user_key, role)
);
CREATE INDEX uses_by_target ON uses (target_key, user_key);

-- Secrets at rest: sealed with the master key, bound to (key, purpose).
CREATE TABLE secrets (
    key        TEXT COLLATE "C" NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    purpose    TEXT COLLATE "C" NOT NULL,
    ciphertext BYTEA            NOT NULL,
    PRIMARY KEY (key, purpose)
);

-- Jobs outlive their instance, so their keys are no foreign keys.
CREATE TABLE jobs (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    vault_key     TEXT COLLATE "C" NOT NULL,
    instance_key  TEXT COLLATE "C" NOT NULL,
    cluster_key   TEXT COLLATE "C" NOT NULL,
    operation     TEXT             NOT NULL,
    status        TEXT             NOT NULL,
    step          TEXT             NOT NULL,
    progress      TEXT             NOT NULL,
    resource_name TEXT,
    request       TEXT             NOT NULL,
    result        TEXT             NOT NULL,
    error         TEXT             NOT NULL,
    created_at    BIGINT           NOT NULL,
    started_at    BIGINT,
    ended_at      BIGINT,
    next_poll_at  BIGINT,
    generation    BIGINT           NOT NULL
);
CREATE INDEX jobs_by_vault ON jobs (vault_key, created_at DESC, id DESC);
CREATE INDEX jobs_by_instance ON jobs (instance_key, created_at DESC, id DESC);
CREATE INDEX jobs_due ON jobs (next_poll_at) WHERE next_poll_at IS NOT NULL;
CREATE INDEX jobs_open_by_instance ON jobs (instance_key) WHERE ended_at IS NULL;
CREATE INDEX jobs_open_by_cluster ON jobs (cluster_key) WHERE ended_at IS NULL;
CREATE INDEX jobs_waiting_by_instance ON jobs (instance_key)
    WHERE next_poll_at IS NOT NULL AND ended_at IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_at, id) WHERE ended_at IS NOT NULL AND next_poll_at IS NULL;

CREATE TABLE recovery_points (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    instance_key   TEXT COLLATE "C" NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    vault_key      TEXT COLLATE "C" NOT NULL,
    job_id         TEXT             NOT NULL,
    created_at     BIGINT           NOT NULL,
    expires_at     BIGINT,
    body           TEXT             NOT NULL,
    -- The order in which the server came to know of the points of an instance, whatever clocks say.
    sequence       BIGINT           NOT NULL DEFAULT 0,
    -- Since when a point is being removed; it is no way back from there.
    expiring_since BIGINT
);
CREATE INDEX recovery_points_by_instance ON recovery_points (instance_key, created_at DESC, id DESC);
CREATE INDEX recovery_points_by_sequence ON recovery_points (instance_key, sequence);
CREATE INDEX recovery_points_expiring ON recovery_points (id) WHERE expiring_since IS NOT NULL;
CREATE INDEX recovery_points_by_expiry ON recovery_points (expires_at, id)
    WHERE expires_at IS NOT NULL AND expiring_since IS NULL;

-- Every repository that an instance ever wrote to or read from.
CREATE TABLE repositories (
    instance_key TEXT COLLATE "C" NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    container_id TEXT COLLATE "C" NOT NULL,
    prefix       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (instance_key, container_id, prefix)
);

-- How far the schedule of each instance has been followed.
CREATE TABLE schedules (
    instance_key TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES resources (key) ON DELETE CASCADE,
    schedule     TEXT             NOT NULL,
    since        BIGINT           NOT NULL,
    handled      BIGINT,
    job_id       TEXT,
    last_success BIGINT
);

-- Long-running operations, as clients poll them.
CREATE TABLE operations (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind        TEXT             NOT NULL,
    scope_key   TEXT COLLATE "C" NOT NULL,
    resource_id TEXT             NOT NULL,
    location    TEXT             NOT NULL,
    status      TEXT             NOT NULL,
    job_id      TEXT COLLATE "C",
    result      TEXT             NOT NULL,
    error       TEXT             NOT NULL,
    created_at  BIGINT           NOT NULL,
    ended_at    BIGINT,
    request     TEXT             NOT NULL DEFAULT 'null'
);
CREATE INDEX operations_open ON operations (created_at) WHERE ended_at IS NULL;
CREATE INDEX operations_by_job ON operations (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;
