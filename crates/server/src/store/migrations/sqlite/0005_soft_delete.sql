-- What lets a deleted resource be brought back, and what tells who wrote it.

-- Since when a resource is deleted, though it can be brought back: for everybody but those who ask for
-- deleted ones it is not there, and its key is taken.
ALTER TABLE resources ADD COLUMN deleted_at INTEGER;
CREATE INDEX resources_deleted ON resources (kind, key) WHERE deleted_at IS NOT NULL;

-- Who made it and who wrote it last, as JSON; `null` for those that were written before this was noted.
ALTER TABLE resources ADD COLUMN created_by TEXT NOT NULL DEFAULT 'null';
ALTER TABLE resources ADD COLUMN updated_by TEXT NOT NULL DEFAULT 'null';
