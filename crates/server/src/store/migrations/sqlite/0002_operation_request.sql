-- What an operation was asked to do, as far as nothing else in the store says it: a restarted server
-- goes on from it. `null` for operations that need none, and once the operation ended.
ALTER TABLE operations ADD COLUMN request TEXT NOT NULL DEFAULT 'null';
