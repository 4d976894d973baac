-- Which server does the work, and which ones are there: see core/src/lease.rs.
CREATE TABLE leases (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder   TEXT COLLATE "C",
    term     BIGINT           NOT NULL,
    renewals BIGINT           NOT NULL
);

-- The server that carries out an operation. None: of a version that did not say so.
ALTER TABLE operations ADD COLUMN holder TEXT COLLATE "C";
