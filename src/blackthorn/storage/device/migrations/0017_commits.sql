-- The newest Commits of a conversation as they came, for members who miss one.
CREATE TABLE kept_commit (
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    parcels BLOB NOT NULL,
    kept_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, digest)
) STRICT, WITHOUT ROWID;
