-- What lets schedules start backups and retention let recovery points go.

-- How far the schedule of each instance has been followed.
CREATE TABLE schedules (
    instance_key TEXT    NOT NULL PRIMARY KEY REFERENCES resources (key) ON DELETE CASCADE,
    schedule     TEXT    NOT NULL,
    since        INTEGER NOT NULL,
    handled      INTEGER,
    job_id       TEXT,
    last_success INTEGER
) STRICT;

-- The order in which the server came to know of the points of an instance, whatever clocks say.
ALTER TABLE recovery_points ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
UPDATE recovery_points SET sequence = rowid;
CREATE INDEX recovery_points_by_sequence ON recovery_points (instance_key, sequence);

-- Since when a point is being removed; it is no way back from there.
ALTER TABLE recovery_points ADD COLUMN expiring_since INTEGER;
CREATE INDEX recovery_points_expiring ON recovery_points (id) WHERE expiring_since IS NOT NULL;
DROP INDEX recovery_points_by_expiry;
CREATE INDEX recovery_points_by_expiry ON recovery_points (expires_at, id)
    WHERE expires_at IS NOT NULL AND expiring_since IS NULL;
