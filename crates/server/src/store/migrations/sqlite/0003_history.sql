-- What lets old jobs and operations go, and what keeps questions about an instance from reading all of
-- its history.

-- Every repository that an instance ever wrote to or read from. Jobs are forgotten after a while; what
-- they wrote is not, and must be found by whoever prunes it or removes it with the instance.
CREATE TABLE repositories (
    instance_key TEXT NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    container_id TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    PRIMARY KEY (instance_key, container_id, prefix)
) STRICT;
INSERT OR IGNORE INTO repositories (instance_key, container_id, prefix)
SELECT instance_key, json_extract(request, '$.repository.containerId'), json_extract(request, '$.repository.prefix')
FROM jobs
WHERE json_extract(request, '$.repository.prefix') IS NOT NULL
  AND instance_key IN (SELECT key FROM resources);
INSERT OR IGNORE INTO repositories (instance_key, container_id, prefix)
SELECT instance_key, json_extract(body, '$.repository.containerId'), json_extract(body, '$.repository.prefix')
FROM recovery_points
WHERE json_extract(body, '$.repository.prefix') IS NOT NULL;

-- Ended jobs of an instance that still have something to be removed.
CREATE INDEX jobs_waiting_by_instance ON jobs (instance_key)
    WHERE next_poll_at IS NOT NULL AND ended_at IS NOT NULL;
-- What is old enough to go.
CREATE INDEX jobs_ended ON jobs (ended_at, id) WHERE ended_at IS NOT NULL AND next_poll_at IS NULL;
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;
