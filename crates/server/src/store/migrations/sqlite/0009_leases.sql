-- Which server does the work, and which ones are there: see core/src/lease.rs. An embedded catalogue has one
-- server and uses none of it; both databases have the same tables.
CREATE TABLE leases (
    name     TEXT    NOT NULL PRIMARY KEY,
    holder   TEXT,
    term     INTEGER NOT NULL,
    renewals INTEGER NOT NULL
) STRICT;

-- The server that carries out an operation. None: of a version that did not say so.
ALTER TABLE operations ADD COLUMN holder TEXT;
