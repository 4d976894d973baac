-- One row for each call that wrote or was denied, chained by hashes. The end of the chain, and what its first
-- row follows once older ones were forgotten, are settings.
CREATE TABLE audit_entries (
    sequence INTEGER NOT NULL PRIMARY KEY,
    time     INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    previous TEXT    NOT NULL,
    hash     TEXT    NOT NULL
) STRICT;
