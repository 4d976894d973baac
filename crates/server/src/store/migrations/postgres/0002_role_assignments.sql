-- Who may do what. The scope's key is that of a resource, of a group or of a subscription, or empty for
-- the root; with a resource go the assignments at it and below it.
CREATE TABLE role_assignments (
    key            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    id             TEXT             NOT NULL,
    scope          TEXT             NOT NULL,
    scope_key      TEXT COLLATE "C" NOT NULL,
    role           TEXT COLLATE "C" NOT NULL,
    principal      TEXT COLLATE "C" NOT NULL,
    principal_type TEXT             NOT NULL,
    description    TEXT,
    created_at     BIGINT           NOT NULL,
    created_by     TEXT             NOT NULL,
    UNIQUE (scope_key, role, principal)
);
CREATE INDEX role_assignments_of_principal ON role_assignments (principal);
