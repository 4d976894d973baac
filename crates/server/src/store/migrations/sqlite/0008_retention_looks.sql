-- What lets retention look only at instances that have something to be decided, and lists of recovery points
-- read no more than they tell.

-- The types that a point's cluster served are most of what there is to say of it, and no list tells them.
ALTER TABLE recovery_points ADD COLUMN served_types TEXT;
UPDATE recovery_points SET served_types = json_extract(body, '$.servedTypes'), body = json_remove(body, '$.servedTypes');

-- The retention tag of a point, as its document has it, so that times can be told without reading documents.
ALTER TABLE recovery_points ADD COLUMN tag TEXT NOT NULL DEFAULT '';
UPDATE recovery_points SET tag = COALESCE(json_extract(body, '$.properties.retentionTagName'), '');
-- All that a point's time follows from stands in the index of the list.
DROP INDEX recovery_points_by_instance;
CREATE INDEX recovery_points_by_instance
    ON recovery_points (instance_key, created_at DESC, id DESC, expires_at, expiring_since, tag);
-- Points are found by their instance from now on.
DROP INDEX recovery_points_by_expiry;

-- The last look of retention at each instance: by which version of it and of its policy, after how many
-- changes of its points, and when something of it is over next. None: not before one of these changes.
CREATE TABLE retention (
    instance_key TEXT    NOT NULL PRIMARY KEY REFERENCES resources (key) ON DELETE CASCADE,
    changes      INTEGER NOT NULL,
    seen_changes INTEGER NOT NULL,
    instance     TEXT    NOT NULL,
    policy_key   TEXT    NOT NULL,
    policy       TEXT    NOT NULL,
    due_at       INTEGER
) STRICT;
